"""WandbLogger: a run in Weights & Biases that no error of W&B ends."""

import logging
import math
import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.callbacks.loggers.best_values import BestValues
from lightning_tf.callbacks.loggers.histogram_logger import HistogramLogger
from lightning_tf.callbacks.loggers.histograms import Histogram, Histograms
from lightning_tf.callbacks.loggers.tracker_logger import TrackerLogger
from lightning_tf.callbacks.wandb.artifact_logger import WandbArtifactLogger
from lightning_tf.callbacks.wandb.artifacts import LOG_MODEL, CheckpointArtifact, WandbArtifacts
from lightning_tf.callbacks.wandb.connection import WandbConnection
from lightning_tf.callbacks.wandb.media import Maker
from lightning_tf.callbacks.wandb.prediction_logger import WandbPredictionLogger
from lightning_tf.callbacks.wandb.run import WandbRun
from lightning_tf.callbacks.wandb.run_id import check_run_id, choose_run_id
from lightning_tf.callbacks.wandb.wandb_arguments import (
    MODES,
    check_environment,
    check_experiment,
    check_init,
    chosen_folder,
    chosen_mode,
    one_of,
)
from lightning_tf.callbacks.wandb.worker import worker_arguments
from lightning_tf.checks import checked_choice, checked_local_path, checked_row
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError, TerminationRequested
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

POLICIES = ("immutable", "mutable")
EXIT_CODES = {"success": 0, "failed": 1, "interrupted": 255}
TERMINATED = 143


class WandbLogger(TrackerLogger, HistogramLogger, WandbPredictionLogger, WandbArtifactLogger):
    """Writes a run to Weights & Biases, or to this disk where W&B is away.

    Every row has ``trainer/global_step``, the x-axis of all charts, and ``epoch``. The config holds
    the task's hyperparameters, the Trainer's settings (``trainer``), versions (``packages``) and
    the state of the code (``git``); the summary holds last values, and best ones as
    ``best/val/loss``.

    Everything that calls W&B runs in its own threads. No error of W&B ends a run: the logger warns
    about the first one, with the command that sends later what stands on this disk; without an API
    key the run stays on this disk from the beginning. Files::

        <dir>/wandb/                       W&B's own folders, for `wandb sync`
        <dir>/wandb_runs/<project>/<id>/   rows.jsonl, checkpoints/, uploads that are pending

    A run that is resumed from a checkpoint continues in the same W&B run: rows that W&B holds are
    not sent twice, rows that a killed process had not sent are sent now. A `wandb.run` that exists
    when an entry point begins is used and left open. Under `wandb agent` the agent's run is used;
    read `wandb.init().config` before the task is made.

    Args:
        project: The project of W&B; None for WANDB_PROJECT or that of the sweep.
        name: The run's name for people; W&B makes one up where it is None.
        id: The run's id; WANDB_RUN_ID where it is None, else made up.
        group: Runs that belong together.
        tags: Tags of the run; a text is one.
        mode: ``online``, ``offline``, ``disabled`` or ``shared``. Where it is None W&B's own rules
            hold: `settings`, WANDB_MODE, and what `wandb offline` or `wandb disabled` wrote; where
            nobody has chosen, online if there is an API key, else offline.
        dir: Holds the folders above; where it is None the Trainer's `default_root_dir`, and
            WANDB_DIR for W&B's own.
        log_model: Checkpoints as artifacts ``model-<id>``: ``best`` and ``last`` send that one when
            fit ends, however it ends, and True all that are kept then; ``all`` sends every one as
            it is written; False sends none.
        prefix: Put before the name of everything that is logged.
        finish: Finish the W&B run at the end of every entry point; the next one continues it.
        offline: True is ``mode="offline"``.
        save_dir: Another name of `dir`.
        version: Another name of `id`.
        experiment: A wandb.Run that is open: it is used and left open.
        checkpoint_name: Of the artifacts, in place of ``model-<id>``.
        add_file_policy: ``immutable`` sends checkpoints from where they lie; ``mutable`` has W&B
            copy them first.
        worker_metrics: Of several workers, also measure the machines of those other than the first
            while fit runs: each has a run ``<id>-worker-<n>`` with system metrics alone, in the
            group of the first one's run (`group`, or its id). Otherwise W&B knows the first only.
        init_timeout: Seconds in which the server must answer; training does not wait for it.
        finish_timeout: Seconds that the end of an entry point waits for W&B, and one more for each
            megabyte of checkpoints to send.
        **init: Passed to wandb.init: ``entity``, ``notes``, ``job_type``, ``config``,
            ``settings`` (a dict or wandb.Settings), ...

    Raises:
        ConfigurationError: An argument cannot work.

    Example:
        >>> logger = WandbLogger("digits", tags=["baseline"], log_model="best")
        >>> trainer = Trainer(max_epochs=10, logger=logger)
        >>> trainer.fit(task)
        >>> trainer.test(task, ckpt_path=f"wandb:me/digits/model-{logger.run_id}:best")
    """

    package = "wandb"
    logs_metrics = False

    def __init__(
        self,
        project: str | None = None,
        name: str | None = None,
        id: str | None = None,
        group: str | None = None,
        tags: Sequence[str] | None = None,
        mode: str | None = None,
        dir: str | os.PathLike[str] | None = None,
        log_model: bool | str = False,
        prefix: str = "",
        finish: bool = True,
        *,
        offline: bool = False,
        save_dir: str | os.PathLike[str] | None = None,
        version: str | None = None,
        experiment: Any = None,
        checkpoint_name: str | None = None,
        add_file_policy: str = "immutable",
        worker_metrics: bool = False,
        init_timeout: float = 10.0,
        finish_timeout: float = 60.0,
        **init: Any,
    ) -> None:
        mode = one_of("mode", mode, "offline", "offline" if offline else None)
        dir, id = one_of("dir", dir, "save_dir", save_dir), one_of("id", id, "version", version)
        self._settings = _settings(init.pop("settings", None))
        checked_choice("WandbLogger: mode", mode, (None, *MODES))
        checked_choice("WandbLogger: log_model", log_model, LOG_MODEL)
        checked_choice("WandbLogger: add_file_policy", add_file_policy, POLICIES)
        if min(init_timeout, finish_timeout) < 1.0:  # wandb takes whole seconds, and 0 for ever
            raise ConfigurationError("WandbLogger: give timeouts of at least 1 second.")
        tags = [tags] if isinstance(tags, str) else tags
        named = {"project": project, "name": name, "id": id, "group": group, "tags": tags}
        check_init(type(self), named, init, self._settings)
        check_experiment(experiment)

        self.project, self.group, self.mode = project, group, mode
        self.tags = tags
        self.dir = None if dir is None else Path(checked_local_path("WandbLogger: dir", dir))
        self.log_model, self.prefix, self.finish = log_model, prefix, finish
        self.checkpoint_name, self.add_file_policy = checkpoint_name, add_file_policy
        self.init_timeout, self.finish_timeout = init_timeout, finish_timeout
        self.worker_metrics = worker_metrics

        WandbPredictionLogger.__init__(self)
        TrackerLogger.__init__(self, id)
        self.best = BestValues()
        self._init = init
        self._experiment, self._mode = experiment, mode
        self._name = name
        self._trainer: Callable[[], Trainer | None] = lambda: None
        self._run: WandbRun | None = None
        self._worker: WandbConnection | None = None
        self._artifacts = WandbArtifacts(log_model)
        self._enabled, self._exit_code, self._has_alerted_nan = True, 0, False
        self._hparams: dict[str, Any] = {}

    # ---- what a user reads and calls

    @property
    def name(self) -> str:
        """Return the run's name, or the class's."""
        return self._name or type(self).__name__

    @property
    def experiment(self) -> Any:
        """Return the wandb.Run once it is open (waits for that); None where there is none."""
        if self._run is None:
            return None
        self._run.connection.wait_until_open()
        self._run.connection.flush()  # what is logged now comes after what was logged before
        return self._run.connection.run

    def watch(self, log: str = "gradients", every_n_steps: int = 100) -> None:
        """Log histograms of what trains, from the next fit on.

        Args:
            log: ``gradients`` (those that reach the optimizer), ``weights``, ``all`` for both, or
                ``activations``: what each layer gives for a batch, with the share of ReLUs that
                give 0 for all of it, ``dead_units/<layer>``.
            every_n_steps: Updates from one histogram to the next.
        """
        self.histograms = Histograms(log, every_n_steps)

    def continue_run(self, run_id: str) -> None:
        """Continue the W&B run of an earlier process, unless the user names another one.

        Raises:
            ValueError: It is no id of a W&B run; as one it would name the run's folder.
        """
        self._checkpoint_id = check_run_id(run_id)

    def join_group(self, group: str, name: str) -> None:
        """Give the run a group and a name, unless it has them."""
        self.group, self._name = self.group or group, self._name or name

    def state_dict(self) -> dict[str, Any]:
        """Return the best values."""
        return {"best": self.best.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the best values."""
        self.best.load_state_dict(state["best"])

    # ---- an entry point

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the run; W&B learns of it with the first row."""
        check_environment()
        check_experiment(self._experiment)  # it may have been finished meanwhile
        self._mode = chosen_mode(self.mode, self._settings)
        self._enabled = trainer.is_global_zero and self._mode != "disabled"
        self._trainer, self._exit_code = weakref.ref(trainer), 0
        self._has_alerted_nan = False

        if self._begins_run(task):
            self.best = BestValues()
            self._artifacts = WandbArtifacts(self.log_model)
            run_id = choose_run_id(
                self._user_id or self._settings.get("run_id"), self._checkpoint_id, self._experiment
            )
            self._checkpoint_id = None
            # Workers name their runs after the chief's.
            self._id = str(trainer.workers.broadcast(run_id)) if self.worker_metrics else run_id
            project = self.project or os.environ.get("WANDB_PROJECT") or "uncategorized"
            self._folder = self._runs(trainer) / project / self._id
        if self._enabled and stage != "predict":
            self._lock_folder()

    def _root(self, trainer: Trainer) -> Path:
        return self.dir or Path(trainer.default_root_dir)

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Open the run in fit; otherwise the first row opens it."""
        self._hparams = hparams
        trainer = self._trainer()
        if trainer is None or trainer.entry_point != "fit":
            return

        if self._enabled:
            self._open_run()
        elif self.worker_metrics and self._measures_worker(trainer) and self._worker is None:
            arguments = worker_arguments(trainer.workers.index, self._arguments(trainer))
            # The button of the chief's run stops all workers.
            self._worker = self._connect(arguments, on_stop=lambda: None)

    def _measures_worker(self, trainer: Trainer) -> bool:
        # A sweep would take the worker's run for a trial of its own.
        is_trial = "WANDB_SWEEP_ID" in os.environ
        return not (trainer.is_global_zero or self._mode == "disabled" or is_trial)

    def _arguments(self, trainer: Trainer) -> dict[str, Any]:
        """Return the arguments of wandb.init."""
        folder = self.dir or chosen_folder(self._settings) or trainer.default_root_dir
        Path(folder).mkdir(parents=True, exist_ok=True)
        is_grouped = self.worker_metrics and trainer.workers.count > 1
        return {
            **self._init,
            "project": self.project,
            "name": self._name,
            "id": self._id,
            "group": self.group or (self._id if is_grouped else None),
            "tags": None if self.tags is None else list(self.tags),
            "dir": str(folder),
        }

    def _connect(
        self, arguments: Mapping[str, Any], on_stop: Callable[[], None]
    ) -> WandbConnection:
        return WandbConnection(
            arguments,
            mode=self._mode,
            settings=self._settings,
            experiment=self._experiment,
            init_timeout=self.init_timeout,
            finish_timeout=self.finish_timeout,
            on_stop=on_stop,
        )

    def _open_run(self) -> WandbRun:
        """Return the run; a thread opens it meanwhile."""
        if self._run is None:
            trainer = self._trainer()
            if trainer is None or self._folder is None or self._id is None:
                raise ConfigurationError("WandbLogger logs only while a Trainer runs with it.")

            stop = partial(_request_stop, weakref.ref(trainer))  # the run must not keep the trainer
            connect = partial(self._connect, self._arguments(trainer), stop)
            self._run = WandbRun(self._folder, connect, self.add_file_policy)
            self._run.configure(self._hparams)
        return self._run

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Learn which metrics have which mode, and from which update on rows are measured again."""
        self.best.learn_modes(trainer.callbacks)
        if self._enabled:
            self._open_run().begin(trainer.global_step if trainer.resumed else None)

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Alert, unless somebody wanted the end."""
        if isinstance(exception, TerminationRequested):
            self._exit_code = TERMINATED
            if self._run is not None:
                self._run.connection.call("a note", lambda run: run.mark_preempting())
        elif isinstance(exception, Exception):
            nan = isinstance(exception, NonFiniteLossError)
            title = "The loss is NaN or infinite" if nan else "The run failed"
            self._alert(title, f"{type(exception).__name__}: {exception}", "ERROR")
        super().on_exception(trainer, task, exception)

    def save(self) -> None:
        """Write the journal of rows to the disk."""
        if self._run is not None:
            self._run.flush_journal()

    def finalize(self, status: str) -> None:
        """Send checkpoints and the rest; then close the run, unless `finish` is False."""
        run, code = self._run, self._exit_code or EXIT_CODES[status]
        if self._worker is not None and self.finish:
            self._worker.wait_until_open()
            self._worker.close(code, time.monotonic() + self.finish_timeout)
            self._worker = None
        if run is None:
            self._unlock_folder()
            return

        if self._stage() == "fit":
            self._send_artifacts(self._artifacts.at_end(self._artifact_name))
        if self.finish or not run.connection.is_own:
            self._run = None
            run.close(code)
            self._unlock_folder()
        else:
            run.flush()

    def _stage(self) -> str | None:
        trainer = self._trainer()
        return None if trainer is None else trainer.entry_point

    # ---- what a run reports

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Send a row; record what is better than before, and alert at the first NaN."""
        values = checked_row(metrics)
        epoch = values.pop("epoch", None)
        self._row(values, step, epoch)
        if not self._enabled:
            return

        better = self.best.update_from_row(values, step)
        if better:
            summary = {f"best/{self.prefix}{name}": value for name, value in better.items()}
            summary |= {f"best/{self.prefix}{name}_step": step for name in better}
            connection = self._open_run().connection
            connection.call("the summary", lambda run: run.summary.update(summary), can_wait=True)

        bad = [k for k, v in values.items() if isinstance(v, float) and not math.isfinite(v)]
        # An alert may send a mail: once an entry point.
        if bad and not self._has_alerted_nan:
            self._has_alerted_nan = True
            self._alert(f"{bad[0]} is NaN or infinite", f"at update {step}", "WARN")

    def log_histograms(self, histograms: dict[str, Histogram], step: int) -> None:
        """Send histograms."""
        makers = {name: partial(_histogram, histogram=each) for name, each in histograms.items()}
        self._row(makers, step)

    def log_file(self, name: str, path: str, step: int) -> None:
        """Send a copy of a file, under ``files/<name>/`` of the run."""
        if self._enabled:
            self._open_run().log_file(f"{self.prefix}{name}", os.path.abspath(path))

    def connect(self) -> WandbConnection | None:
        """Return the connection to the run; None where nothing is logged."""
        return self._open_run().connection if self._enabled else None

    def show(self, name: str, maker: Maker, step: int) -> None:
        """Send an image, a table, ...: see `WandbMediaLogger`."""
        self._row({name: maker}, step)

    def _row(self, values: dict[str, Any], step: int, epoch: float | None = None) -> None:
        if not self._enabled:
            return
        run, trainer = self._open_run(), self._trainer()
        if epoch is None:
            epoch = 0 if trainer is None else trainer.current_epoch
        run.log_row(step, epoch, {f"{self.prefix}{name}": value for name, value in values.items()})

    def _alert(self, title: str, text: str, level: str) -> None:
        if self._run is not None:
            self._run.connection.call(
                "an alert", lambda run: run.alert(title=title, text=text, level=level)
            )

    # ---- checkpoints

    @property
    def _artifact_name(self) -> str:
        return self.checkpoint_name or f"model-{self._id}"

    def after_save_checkpoint(self, callback: CheckpointCallback) -> None:
        """Remember who knows the best and the last; with ``all``, send what was written."""
        if self._enabled:
            self._send_artifacts(self._artifacts.after_save(callback, self._artifact_name))

    def _send_artifacts(self, artifacts: list[CheckpointArtifact]) -> None:
        for artifact in artifacts:
            self._open_run().uploads.add(artifact)


def _histogram(wandb: Any, *, histogram: Histogram) -> Any:
    return wandb.Histogram(np_histogram=histogram)


def _settings(settings: Any) -> dict[str, Any]:
    if settings is None or isinstance(settings, Mapping):
        return dict(settings or {})
    if not hasattr(settings, "model_fields_set"):
        raise ConfigurationError(
            f"WandbLogger(settings={settings!r:.80}): give a dict or wandb.Settings."
        )
    return {name: getattr(settings, name) for name in settings.model_fields_set}


def _request_stop(trainer: weakref.ref[Trainer]) -> None:
    running = trainer()
    if running is not None:
        running.request_stop("somebody pressed Stop on the page of the W&B run")
