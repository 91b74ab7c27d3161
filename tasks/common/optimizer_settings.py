"""OptimizerSettings: optimizer, rate, schedule and weight decay of a task, checked together."""

import math
from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.optimizers import (
    build_optimizer,
    check_optimizer,
    default_learning_rate,
    is_named,
    undecayed_variables,
)
from lightning_tf.tasks.common.schedules import build_schedule, check_schedule

FEWEST_WARMED_UPDATES = 20  # of a fit with a warm-up that nobody asked for


class OptimizerSettings:
    """A task's optimizer arguments, refused at once where they cannot work, built by a fit.

    Args:
        optimizer: See `build_optimizer`.
        learning_rate: At the start, or after the warm-up; None is `default_rate`, or else the
            optimizer's default.
        schedule: See `build_schedule`; only with an optimizer's name.
        warmup_steps: Updates of a linear warm-up, or a fraction of all of them below 1.0; None is
            `default_warmup`, for a named optimizer and a fit of 20 and more updates.
        weight_decay: Decoupled; None is Keras' default for the optimizer.
        default_rate: The task's default of the rate for the Adam family.
        default_warmup: The task's default of the warm-up, a fraction.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options contradict each
            other.

    Example:
        >>> OptimizerSettings("adamw", schedule="cosine").build(1000, model)
    """

    def __init__(
        self,
        optimizer: Any,
        learning_rate: float | None = None,
        schedule: Any = None,
        warmup_steps: float | None = 0,
        weight_decay: float | None = None,
        default_rate: float | None = None,
        default_warmup: float = 0.0,
    ) -> None:
        self.default_warmup = default_warmup if warmup_steps is None else 0.0
        warmup_steps = warmup_steps or 0
        check_optimizer(optimizer, learning_rate, weight_decay)
        check_schedule(schedule, warmup_steps, learning_rate)
        if not is_named(optimizer) and (schedule is not None or warmup_steps):
            raise ConfigurationError(
                f"schedule={schedule!r} and warmup_steps={warmup_steps!r} go with an optimizer's "
                f"name; the given {type(optimizer).__name__} brings its own: set them there."
            )

        self.optimizer, self.weight_decay = optimizer, weight_decay
        self.schedule, self.warmup_steps = schedule, warmup_steps
        self.learning_rate: float | None = None
        if is_named(optimizer):
            if learning_rate is None and str(optimizer).startswith("adam"):
                learning_rate = default_rate
            self.learning_rate = default_learning_rate(optimizer, learning_rate)

    def build(self, updates: float, model: Any) -> keras.optimizers.Optimizer:
        """Build the optimizer, with its schedule.

        Args:
            updates: Of the whole fit; infinite where nobody knows.
            model: Whose biases and normalisation do not decay.
        """
        if self.learning_rate is None:  # an optimizer that brings its own rate
            return build_optimizer(self.optimizer, weight_decay=self.weight_decay)

        is_long = FEWEST_WARMED_UPDATES <= updates < math.inf
        warmup = self.default_warmup if self.default_warmup and is_long else self.warmup_steps
        rate = build_schedule(self.schedule, self.learning_rate, updates, warmup_steps=warmup)
        undecayed = undecayed_variables(model)
        return build_optimizer(self.optimizer, rate, self.weight_decay, undecayed)
