"""MonitorCallback: what callbacks that judge a metric have in common."""

import logging
import math

from lightning_tf.callbacks.common.stateful_callback import StatefulCallback
from lightning_tf.checks import checked_choice
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.stage import VALIDATE, split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

MODES = ("min", "max")
DECLARE = (
    " A metric that a hook logs later than the first check is declared: logs_metrics = (name,) in "
    "the class of the callback or task."
)


class MonitorCallback(StatefulCallback):
    """Calls `_check` in fit wherever the monitored metric may have been measured.

    It reads each measurement once, and says which of two values is better.

    Args:
        monitor: A metric such as ``val_loss``.
        mode: ``min`` or ``max``.
        strict: Raise where nothing logs the metric; otherwise warn once.
        check_on_train_epoch_end: True judges at the end of an epoch, False after validation; None
            judges a ``val_`` metric after validation, and everything else at the end of an epoch.

    Raises:
        ConfigurationError: The mode is unknown.

    Attributes:
        judged_step: The `global_step` of the newest measurement that was read; -1 before.

    Example:
        >>> class Shout(MonitorCallback):
        ...     def _check(self, trainer):
        ...         print(self.monitor, self._read_new(trainer))
    """

    runs_after_task = True

    def __init__(
        self,
        monitor: str,
        mode: str = "min",
        strict: bool = True,
        check_on_train_epoch_end: bool | None = None,
    ) -> None:
        self.monitor, self.strict = monitor, strict
        self._mode = checked_choice(f"{type(self).__name__}: mode", mode, MODES)
        self._sign = 1.0 if mode == "min" else -1.0
        at_end = check_on_train_epoch_end
        self._at_epoch_end = split_metric(monitor)[0] is not VALIDATE if at_end is None else at_end
        self.judged_step = -1
        self._warned = False

    # ---- hooks

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Refuse a metric that nothing will log, where that is known before training."""
        names, complete = trainer.metric_names()
        if self.monitor in names:
            return
        if complete:
            self._missing(names)
        else:
            self._warned = True
            log.warning(
                "%s(monitor=%r): no step measures it, so a hook must log it by the first check.%s",
                type(self).__name__,
                self.monitor,
                nearest(self.monitor, names),
            )

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what validation measured."""
        in_fit = trainer.entry_point == "fit" and not trainer.sanity_checking
        if in_fit and not self._at_epoch_end:
            self._is_known(trainer)
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Judge what the epoch measured."""
        if self._at_epoch_end or trainer.num_val_batches == 0:  # then no validation will tell
            self._is_known(trainer)
        if self._at_epoch_end:
            self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        raise NotImplementedError

    # ---- measurements

    @property
    def _worst(self) -> float:
        """Return the value that every number is better than."""
        return self._sign * math.inf

    def _is_better(self, score: float, other: float, by: float = 0.0) -> bool:
        """Return whether a score beats another by more than a margin; NaN beats nothing."""
        return self._sign * score < self._sign * other - by

    def _read_new(self, trainer: Trainer) -> float | None:
        """Return the newest measurement; None where it was read before or there is none yet."""
        if not self._is_known(trainer):
            return None

        # An epoch without validation measures nothing new.
        measured = trainer.metric_steps.get(self.monitor, self.judged_step)
        if measured == self.judged_step:
            return None
        self.judged_step = measured
        return trainer.callback_metrics[self.monitor]

    def _is_known(self, trainer: Trainer) -> bool:
        """Return whether something measures the metric; raise where that must be, and is not."""
        names, _ = trainer.metric_names()
        if self.monitor not in names:
            self._missing(names)
        return self.monitor in names

    def _missing(self, names: set[str]) -> None:
        hint = nearest(self.monitor, names)
        message = (
            f"{type(self).__name__}(monitor={self.monitor!r}): nothing logs it.{hint}{DECLARE}"
        )
        if self.strict:
            raise ConfigurationError(message)
        if not self._warned:
            log.warning(message)
            self._warned = True
