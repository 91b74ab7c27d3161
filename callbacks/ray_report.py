"""RayReport: hands metrics and checkpoints to Ray Train and Ray Tune."""

import hashlib
import os
import tempfile
import warnings
from contextlib import ExitStack, suppress
from typing import Any

from lightning_tf.callback import CheckpointCallback
from lightning_tf.checks import checked_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class RayReport(CheckpointCallback):
    """Reports metrics and checkpoints to Ray: inside a `TensorflowTrainer` or a trial of a `Tuner`.

    Ray keeps the checkpoints in its storage, and deletes them as its CheckpointConfig says; no
    ModelCheckpoint is added beside it. After a failure Ray's FailureConfig starts the function
    again: `ckpt_path` is then the newest checkpoint, and the fit goes on exactly. A scheduler such
    as ASHA ends bad trials at a report; Ray ends their processes, so `fit` does not return there.

    Needs ``lightning-tf[ray]``.

    Args:
        every_n_epochs: Report at the end of every so many epochs, with all that was measured.
        every_n_train_steps: Report every so many updates instead.
        save_checkpoints: False reports metrics alone.

    Raises:
        ConfigurationError: Ray is not installed or does not run this process, or a count is none.

    Example:
        >>> def loop(config):
        ...     report = RayReport()
        ...     trainer = Trainer(max_epochs=10, seed=0, callbacks=[report])
        ...     task = ImageClassification("digits", learning_rate=config["learning_rate"])
        ...     trainer.fit(task, ckpt_path=report.ckpt_path)
        >>> TensorflowTrainer(
        ...     loop,
        ...     train_loop_config={"learning_rate": 1e-3},
        ...     scaling_config=ray.train.ScalingConfig(num_workers=2),
        ...     run_config=ray.train.RunConfig(failure_config=ray.train.FailureConfig(3)),
        ... ).fit()
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        every_n_train_steps: int | None = None,
        save_checkpoints: bool = True,
    ) -> None:
        checked_integer("RayReport: every_n_epochs", every_n_epochs, least=1)
        if every_n_train_steps is not None:
            checked_integer("RayReport: every_n_train_steps", every_n_train_steps, least=1)

        self._ray = _ray_of_this_process()
        self.every_n_epochs, self.every_n_steps = every_n_epochs, every_n_train_steps
        self.save_checkpoints = save_checkpoints
        self.last_model_path = ""
        self._reported_step = 0

    @property
    def ckpt_path(self) -> str | None:
        """The checkpoint from which Ray wants this function to go on, as a local folder, or None.

        From storage elsewhere it is fetched, to the same path on every machine.
        """
        checkpoint = self._ray.get_checkpoint()
        if checkpoint is None:
            return None
        if checkpoint.filesystem.type_name == "local":
            return str(checkpoint.path)
        name = hashlib.sha256(checkpoint.path.encode()).hexdigest()[:16]
        return str(checkpoint.to_directory(os.path.join(tempfile.gettempdir(), f"ray_{name}")))

    def state_dict(self) -> dict[str, Any]:
        """Return which update was reported last."""
        return {"reported_step": self._reported_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Report no update again that Ray knows of."""
        self._reported_step = int(state["reported_step"])

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Report where an update is due."""
        if self.every_n_steps and self.is_due(trainer):
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Report where an epoch is due, after its validation."""
        if not self.every_n_steps and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._report(trainer)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Report the end of the run."""
        self._report(trainer)

    def _report(self, trainer: Trainer) -> None:
        """Report once for an update; every worker does, which Ray waits for, the chief's counts."""
        if trainer.fast_dev_run or trainer.global_step == self._reported_step:
            return

        self._reported_step = trainer.global_step  # first: the checkpoint holds it
        position = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        with ExitStack() as stack:
            checkpoint = None
            if self.save_checkpoints:
                # All copy the run together; what the chief writes is the one that counts.
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray_report_"))
                path = os.path.join(folder, "checkpoint")
                trainer.save_checkpoint(path)
                if trainer.is_global_zero:
                    checkpoint = self._ray.Checkpoint.from_directory(path)
            self._ray.report({**trainer.callback_metrics, **position}, checkpoint=checkpoint)
        if self.save_checkpoints:
            kept = self._ray.get_checkpoint() if trainer.is_global_zero else None
            # Of a store the path alone would be taken for one of this disk.
            path = ""
            if kept is not None and kept.filesystem.type_name == "local":
                path = str(kept.path)
            self.last_model_path = trainer.workers.broadcast(path)


def _ray_of_this_process() -> Any:
    """Return `ray.train` inside one of its workers, `ray.tune` inside a trial.

    Raises:
        ConfigurationError: Ray is not installed, or runs neither.
    """
    try:
        from ray import train, tune
    except ImportError as error:
        raise ConfigurationError("RayReport needs ray: pip install 'lightning-tf[ray]'") from error

    # Each refuses to be asked in the other's process.
    with suppress(RuntimeError, DeprecationWarning):
        train.get_context()
        return train
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # outside of Ray it warns, and gives None
        is_trial = tune.get_context().get_trial_id() is not None
    if not is_trial:
        raise ConfigurationError(
            "RayReport is made outside of Ray: make it in the function that a TensorflowTrainer or "
            "a Tuner runs."
        )
    return tune
