"""MLflowLogger: a run in MLflow, in a file on this disk or on a server that may be away."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.callbacks.loggers.best_values import BestValues
from lightning_tf.callbacks.loggers.delivering_logger import DeliveringLogger
from lightning_tf.callbacks.loggers.mlflow_receiver import ID_TAG, MLflowReceiver
from lightning_tf.callbacks.wandb.artifacts import LOG_MODEL, CheckpointArtifact, WandbArtifacts
from lightning_tf.checkpoint.io import read_run
from lightning_tf.checks import checked_choice, checked_row
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class MLflowLogger(DeliveringLogger):
    """Writes a run to MLflow, by default to an SQLite file beside the run, without a server.

    Needs ``pip install 'lightning-tf[mlflow]'``. Rows are metrics over `global_step`; the task's
    hyperparameters and the Trainer's settings are params such as ``trainer/seed``; the best values
    so far are tags such as ``best/val/loss``, and ``best/val/loss_step`` with their update. Images
    are in MLflow's image charts, figures, tables (CSV), texts, files and checkpoints are artifacts.
    The run ends as FINISHED, FAILED or KILLED.

    Everything goes to the run's folder on this disk first,
    ``<save_dir>/mlflow_runs/<experiment_name>/<run_id>/``, and from there to MLflow, in a thread. A
    server that is away delays nothing: what it did not get is sent as soon as it answers, by a
    later entry point, by the run that is resumed, or by `send`.

    A run that is resumed from a checkpoint goes on in the same MLflow run; what MLflow has of
    updates that are repeated is not sent again.

    Args:
        experiment_name: The experiment of MLflow; made where there is none.
        run_name: The run's name for people; MLflow makes one up where it is None.
        tracking_uri: Where MLflow is; None for MLFLOW_TRACKING_URI or ``<save_dir>/mlflow.db``.
        tags: Tags of the run.
        save_dir: Holds what is on this disk; the Trainer's `default_root_dir` where it is None.
        log_model: Checkpoints as artifacts: ``best`` and ``last`` send that one when fit ends,
            however it ends; ``all`` sends every one as it is written; False sends none. The tags
            ``checkpoint/best`` and ``checkpoint/latest`` name them.
        prefix: Put before the name of everything that is logged.
        artifact_location: Where an experiment that is made keeps its artifacts; None for
            ``<save_dir>/mlartifacts`` of an SQLite file, and what a server says.
        run_id: The id of an MLflow run, or of this logger's, to go on with.
        finish_timeout: Seconds that the end of an entry point waits for a server that answers.

    Attributes:
        best: The best values so far.

    Raises:
        ConfigurationError: MLflow is not installed, or an argument cannot work.

    Example:
        >>> logger = MLflowLogger("digits", tags={"kind": "baseline"}, log_model="best")
        >>> trainer = Trainer(max_epochs=10, logger=logger)
        >>> trainer.fit(task)  # then: mlflow ui --backend-store-uri sqlite:///mlflow.db
    """

    package, receiver = "mlflow", MLflowReceiver

    def __init__(
        self,
        experiment_name: str = "lightning_tf",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: Mapping[str, Any] | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        log_model: bool | str = False,
        prefix: str = "",
        artifact_location: str | None = None,
        run_id: str | None = None,
        *,
        finish_timeout: float = 60.0,
    ) -> None:
        super().__init__(experiment_name, save_dir, run_id, prefix, finish_timeout)
        checked_choice("MLflowLogger: log_model", log_model, LOG_MODEL)
        self.run_name, self.tracking_uri, self.tags = run_name, tracking_uri, dict(tags or {})
        self.log_model, self.artifact_location = log_model, artifact_location
        self.best = BestValues()
        self._artifacts = WandbArtifacts(log_model)

    @property
    def name(self) -> str:
        """Return the run's name, or the class's."""
        return self.run_name or type(self).__name__

    @property
    def mlflow_run_id(self) -> str | None:
        """Return the id that MLflow gave the run; None before it has answered."""
        return self._record.get("mlflow_run_id")

    def state_dict(self) -> dict[str, Any]:
        """Return the best values."""
        return {"best": self.best.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the best values."""
        self.best.load_state_dict(state["best"])

    # ---- an entry point

    def _start_run(self) -> None:
        self.best, self._artifacts = BestValues(), WandbArtifacts(self.log_model)

    def _record_of_run(self, trainer: Trainer, run_id: str) -> dict[str, Any]:
        root = self._root(trainer)
        uri = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        is_file = uri is None or uri.startswith("sqlite:")
        location = self.artifact_location
        if location is None and is_file:  # MLflow would take the working directory
            location = (root / "mlartifacts").as_uri()
        return {
            "id": run_id,
            "mlflow_run_id": None,
            "settings": {
                "tracking_uri": (uri or f"sqlite:///{root / 'mlflow.db'}").rstrip("/"),
                "experiment_name": self.project,
                "artifact_location": location,
                "run_name": self.run_name,
            },
            "users_run_id": self._user_id,
            "config": {},
            "tags": {**self.tags, ID_TAG: run_id},
            "status": None,
        }

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Learn which metrics have which mode, and from which update on rows are measured again."""
        self.best.learn_modes(trainer.callbacks)
        super().on_fit_start(trainer, task)

    def finalize(self, status: str) -> None:
        """Send checkpoints and the rest; then close the run."""
        try:
            if self._delivery is not None and self._stage == "fit":
                self._send_checkpoints(self._artifacts.at_end("checkpoint"))
        finally:
            super().finalize(status)

    # ---- what a run reports

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add a row, and make tags of what is better than before."""
        super().log_metrics(metrics, step)
        if self._enabled:
            for name, value in self.best.update_from_row(checked_row(metrics), step).items():
                tag = f"best/{self.prefix}{name}"
                self._record["tags"] = {**self._record["tags"], tag: value, f"{tag}_step": step}

    def after_save_checkpoint(self, callback: CheckpointCallback) -> None:
        """Remember who knows the best and the last; with ``all``, send what was written."""
        if self._enabled:
            self._send_checkpoints(self._artifacts.after_save(callback, "checkpoint"))

    def _send_checkpoints(self, artifacts: list[CheckpointArtifact]) -> None:
        for artifact in artifacts:
            # Linked at once: the next save may delete it.
            kept = self._open().keep(Path(artifact.path))
            name, score = artifact.name, artifact.metadata["score"]
            tags = {f"{name}/{alias}": f"checkpoints/{kept.name}" for alias in artifact.aliases}
            if score is not None and "best" in artifact.aliases:
                tags[f"{name}/best_score"] = score
            self._record["tags"] = {**self._record["tags"], **tags}

            progress = read_run(artifact.path).get("progress", {})
            self._open().add_kept_file(progress.get("global_step", 0), name, kept.name, kept)
