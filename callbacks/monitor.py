"""Monitor: a metric that a callback judges; whether it exists, is new, and is better."""

import logging
import math

from lightning_tf.checks import check_choice
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

MODES = ("min", "max")


class Monitor:
    """Reads each measurement of a metric once, and says which of two values is better.

    Args:
        owner: The callback's class, for messages.
        name: A metric such as ``val_loss``.
        mode: ``min`` or ``max``.
        strict: Raise where nothing logs the metric; otherwise warn once.
        at_epoch_end: True judges at the end of an epoch, False after validation; None judges a
            ``val_`` metric after validation, and everything else at the end of an epoch.

    Raises:
        ConfigurationError: The mode is unknown.

    Attributes:
        judged_step: The `global_step` of the newest measurement that was read; -1 before.

    Example:
        >>> monitor = Monitor("EarlyStopping", "val_loss", "min")
        >>> monitor.is_better(0.1, monitor.worst)
        True
    """

    def __init__(
        self,
        owner: str,
        name: str,
        mode: str,
        strict: bool = True,
        at_epoch_end: bool | None = None,
    ) -> None:
        check_choice(owner, "mode", mode, MODES)
        self.owner, self.name, self.mode, self.strict = owner, name, mode, strict
        self.at_epoch_end = not name.startswith("val_") if at_epoch_end is None else at_epoch_end
        self.sign = 1.0 if mode == "min" else -1.0
        self.judged_step = -1
        self._warned = False

    @property
    def worst(self) -> float:
        """Return the value that every number is better than."""
        return self.sign * math.inf

    def is_better(self, score: float, other: float, by: float = 0.0) -> bool:
        """Return whether a score beats another by more than a margin; NaN beats nothing."""
        return self.sign * score < self.sign * other - by

    def check(self, trainer: Trainer) -> None:
        """Refuse a metric that nothing will log, where that is known before training.

        Raises:
            ConfigurationError: Nothing will log it; lists the known names.
        """
        names, complete = trainer.metric_names()
        if complete and self.name not in names:
            self._missing(names)

    def read_new(self, trainer: Trainer) -> float | None:
        """Return the newest measurement; None where it was read before or there is none yet."""
        names, _ = trainer.metric_names()
        if self.name not in names:
            self._missing(names)
            return None

        # An epoch without validation measures nothing new.
        measured = trainer.metric_steps.get(self.name, self.judged_step)
        if measured == self.judged_step:
            return None
        self.judged_step = measured
        return trainer.callback_metrics[self.name]

    def _missing(self, names: set[str]) -> None:
        hint = nearest(self.name, names)
        message = f"{self.owner}(monitor={self.name!r}): nothing logs it.{hint}"
        if self.strict:
            raise ConfigurationError(message)
        if not self._warned:
            log.warning(message)
            self._warned = True


def metrics_since(trainer: Trainer, step: int) -> dict[str, float]:
    """Return the metrics that were measured after an update."""
    steps = trainer.metric_steps
    return {n: value for n, value in trainer.callback_metrics.items() if steps[n] > step}
