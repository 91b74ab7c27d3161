"""TerminateOnNaN: ends training normally when a loss becomes NaN or infinite."""

import math

from lightning_tf.callback import Callback
from lightning_tf.stage import TRAIN, split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class TerminateOnNaN(Callback):
    """Asks for a stop where a training loss is NaN or infinite, instead of raising.

    Without it, fit raises `NonFiniteLossError`. With it, fit ends as after any stop: later hooks
    run, loggers are closed as a success, and no checkpoint is written of the weights that the bad
    loss left. It looks at the loss where the Trainer reads it anyway, at every row and at the
    epoch's end, so the stop comes at most `log_every_n_steps` updates late; a single bad batch
    shows in the mean of its row.

    Under ``mixed_float16`` an overflow skips its update and halves the loss scale; there it is a
    reason to stop only once the scale has come down to 1.

    Example:
        >>> trainer = Trainer(max_epochs=10, callbacks=[TerminateOnNaN()])
        >>> trainer.fit(task)
        >>> trainer.stop_reason
        'loss = nan at update 150'
    """

    logs_metrics = False
    tolerates_nonfinite_loss = True

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Judge the row that was just written."""
        if self.has_row(trainer):
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Judge the epoch's means."""
        self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        step = trainer.global_step
        for name, value in trainer.callback_metrics.items():
            is_loss = name == "loss" or name.endswith("_loss")
            is_fresh = trainer.metric_steps[name] == step and split_metric(name)[0] is TRAIN
            if is_loss and is_fresh and not math.isfinite(value) and not _may_recover(trainer):
                trainer.request_stop(f"{name} = {value} at update {step}")


def _may_recover(trainer: Trainer) -> bool:
    """Return whether a loss scale can still be halved; reads the device, after a bad loss only."""
    training = trainer.training
    optimizers = [] if training is None else training.optimizers.values()
    scales = [o.loss_scaler.scale for o in optimizers if o.loss_scaler is not None]
    return any(float(scale) > 1.0 for scale in scales)
