"""Learning rate schedules by name; they count updates, not batches."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from lightning_tf.checks import is_integer, is_number
from lightning_tf.exceptions import ConfigurationError, nearest

log = logging.getLogger("lightning_tf")

LearningRate = Any  # a float or a keras LearningRateSchedule


class Warmup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Raise the learning rate in a straight line, then follow another schedule from its start.

    Update i of the first `warmup_steps` (counted from 0) has the rate
    ``peak * (i + 1) / warmup_steps``, where the peak is the other schedule's first rate.

    Source: Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
    section 2.2, https://arxiv.org/abs/1706.02677.

    Args:
        after: The schedule that follows, or a constant rate.
        warmup_steps: Updates until the peak, at least 1.

    Example:
        >>> rate = Warmup(0.1, warmup_steps=10)
        >>> round(float(rate(4)), 3)
        0.05
    """

    def __init__(self, after: LearningRate, warmup_steps: int) -> None:
        self.after = after
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step`, counted from 0."""
        step = keras.ops.cast(step, "float32")
        share = (step + 1.0) / self.warmup_steps
        later = self._after(keras.ops.maximum(step - self.warmup_steps, 0.0))
        return keras.ops.where(step < self.warmup_steps, self._after(0.0) * share, later)

    def _after(self, step: Any) -> Any:
        rate = self.after(step) if callable(self.after) else self.after
        return keras.ops.cast(rate, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        after = keras.saving.serialize_keras_object(self.after)
        return {"after": after, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Warmup:
        """Make the schedule that `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["after"]), config["warmup_steps"])


def _constant(rate: float, updates: int) -> LearningRate:
    return rate


def _cosine(rate: float, updates: int, final_fraction: float = 0.0) -> LearningRate:
    return keras.optimizers.schedules.CosineDecay(rate, updates, alpha=final_fraction)


def _linear(rate: float, updates: int, final_fraction: float = 0.0) -> LearningRate:
    return keras.optimizers.schedules.PolynomialDecay(rate, updates, rate * final_fraction)


def _exponential(rate: float, updates: int, final_fraction: float = 0.01) -> LearningRate:
    return keras.optimizers.schedules.ExponentialDecay(rate, updates, final_fraction)


def _piecewise(
    rate: float, updates: int, milestones: Sequence[float] = (0.5, 0.75), factor: float = 0.1
) -> LearningRate:
    # Keras keeps the old rate at the boundary itself, so that is the update before the milestone.
    boundaries = [max(0, round(part * updates) - 1) for part in milestones]
    rates = [rate * factor**count for count in range(len(boundaries) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


SCHEDULES: dict[str, Callable[..., LearningRate]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "exponential": _exponential,
    "piecewise": _piecewise,
}


def check_schedule(
    schedule: Any, warmup_steps: float = 0, learning_rate: float | None = None
) -> None:
    """Refuse what `build_schedule` could not build, before any data are read.

    Raises:
        ConfigurationError: A name or an option is unknown, `warmup_steps` is no count and no
            fraction, or a schedule that brings its own rate is given another.
    """
    is_fraction = is_number(warmup_steps) and 0.0 <= warmup_steps < 1.0
    if not is_fraction and not is_integer(warmup_steps, least=0):
        raise ConfigurationError(
            f"warmup_steps={warmup_steps!r} must be a number of updates, or a fraction of them "
            "below 1.0."
        )

    if schedule is None:
        return
    build_schedule(schedule, 1.0, updates=1000)
    if learning_rate is not None and not isinstance(_resolve(schedule)[0], str):
        raise ConfigurationError(
            f"learning_rate={learning_rate!r} goes with a schedule's name; the given schedule "
            "brings its own: set it there."
        )


def build_schedule(
    schedule: Any, learning_rate: float, updates: float | None, warmup_steps: float = 0
) -> LearningRate:
    """Make a learning rate for a run of known length.

    ===========  ===================================================================================
    name         the rate, with its options and their defaults
    ===========  ===================================================================================
    constant     does not change
    cosine       falls along half a cosine to ``final_fraction=0.0`` of itself (Loshchilov and
                 Hutter, 2017, https://arxiv.org/abs/1608.03983)
    linear       falls in a straight line to ``final_fraction=0.0`` of itself
    exponential  falls by the same ratio at each update, to ``final_fraction=0.01`` of itself
    piecewise    is multiplied by ``factor=0.1`` after each of ``milestones=(0.5, 0.75)`` of the run
    ===========  ===================================================================================

    Args:
        schedule: A name, a pair ``("cosine", {"final_fraction": 0.1})``, a Keras schedule or a
            Keras configuration of one; the last two bring their own rate. None is cosine, or
            constant where nobody knows the length of the run.
        learning_rate: The rate at the start, or after the warm-up.
        updates: Updates in the whole run; None or infinite where nobody knows.
        warmup_steps: Updates of a linear warm-up before the schedule starts: a count, or a fraction
            of `updates` below 1.0. The schedule spans the updates that remain.

    Raises:
        ConfigurationError: A name or an option is unknown, or the length of the run is needed and
            not known, or the warm-up is longer than the run.

    Example:
        >>> rate = build_schedule("cosine", 0.1, updates=1000)
        >>> round(float(rate(500)), 3)
        0.05
    """
    bounded = updates is not None and math.isfinite(updates)
    if schedule is None:
        schedule = "cosine" if bounded else "constant"
        if not bounded:
            log.info("the length of this run is unknown: the learning rate stays constant.")
    schedule, options = _resolve(schedule)
    if isinstance(warmup_steps, float) and warmup_steps > 0.0:
        known = _check_known(updates, "a fraction as warmup_steps")
        warmup_steps = max(1, round(warmup_steps * known))
    warmup_steps = int(warmup_steps)
    if bounded and warmup_steps >= updates and warmup_steps:  # type: ignore[operator]
        raise ConfigurationError(
            f"warmup_steps={warmup_steps} does not end within the {updates} updates of this run; "
            "make it shorter, or train longer."
        )

    if isinstance(schedule, str):
        if schedule == "constant":
            updates = 1 if not bounded else updates
        # A run of no updates, such as max_epochs=0, still builds its optimizer.
        remaining = max(1, _check_known(updates, f"schedule {schedule!r}") - warmup_steps)
        try:
            schedule = SCHEDULES[schedule](learning_rate, remaining, **options)
        except TypeError as error:
            raise ConfigurationError(f"schedule {schedule!r} refuses {options}: {error}") from error

    return Warmup(schedule, warmup_steps) if warmup_steps else schedule


def _resolve(schedule: Any) -> tuple[Any, dict[str, Any]]:
    """Return a name with its options, or a Keras schedule without any."""
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return schedule, {}
    if isinstance(schedule, Mapping):
        try:
            built = keras.optimizers.schedules.deserialize(schedule)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"schedule {schedule!r}: Keras says {error}") from error
        # Keras returns the name of a class that it does not know.
        if not isinstance(built, keras.optimizers.schedules.LearningRateSchedule):
            raise ConfigurationError(f"schedule {schedule!r}: Keras does not know this class.")
        return built, {}

    name, options = schedule, {}
    if isinstance(schedule, (list, tuple)) and len(schedule) == 2:
        name, options = schedule
    if not isinstance(name, str) or name not in SCHEDULES or not isinstance(options, Mapping):
        raise ConfigurationError(f"schedule {schedule!r} is unknown.{nearest(name, SCHEDULES)}")
    return name, dict(options)


def _check_known(updates: float | None, what: str) -> int:
    """Return the number of updates, or refuse `what`, which needs to know it."""
    if updates is None or not math.isfinite(updates):
        raise ConfigurationError(
            f"{what} needs the number of updates, which nobody knows: give the Trainer max_steps, "
            "or max_epochs and data of known length."
        )
    return int(updates)
