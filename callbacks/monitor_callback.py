"""MonitorCallback: what callbacks that judge a metric have in common."""

from lightning_tf.callback import Callback
from lightning_tf.callbacks.monitor import Monitor
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer


class MonitorCallback(Callback):
    """Calls `_check` in fit wherever the monitored metric may have been measured.

    Args:
        monitor: A metric such as ``val_loss``.
        mode: ``min`` or ``max``.
        strict: Raise where nothing logs the metric; otherwise warn once.
        check_on_train_epoch_end: See `Monitor`.

    Example:
        >>> class Shout(MonitorCallback):
        ...     def _check(self, trainer):
        ...         print(self.monitor, self._monitor.read_new(trainer))
    """

    logs_metrics = False
    runs_after_task = True

    def __init__(
        self,
        monitor: str,
        mode: str = "min",
        strict: bool = True,
        check_on_train_epoch_end: bool | None = None,
    ) -> None:
        self.monitor = monitor
        owner = type(self).__name__
        self._monitor = Monitor(owner, monitor, mode, strict, check_on_train_epoch_end)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse a metric that nothing will log, before training."""
        self._monitor.check(trainer)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what validation measured."""
        in_fit = trainer.entry_point == "fit" and not trainer.sanity_checking
        if in_fit and not self._monitor.at_epoch_end:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what the epoch measured."""
        if self._monitor.at_epoch_end:
            self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        raise NotImplementedError
