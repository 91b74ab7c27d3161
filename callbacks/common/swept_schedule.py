"""SweptSchedule: a learning rate schedule that tried rates replace, and that can be scaled."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.callbacks.common.scaled_schedule import ScaledSchedule

LOOKS = 200  # at the schedule, in each of two passes for the highest rate


class SweptSchedule(ScaledSchedule):
    """Gives another schedule's rates times a factor, or while a search runs, the tried rate.

    Both are variables, so that a step that is traced once follows them. With the factor 1, the
    rates are bit for bit those of the other schedule.

    Args:
        schedule: Gives the rates.
        factor: Multiplies them.

    Attributes:
        tried: The rate of a search; 0 outside a search.

    Example:
        >>> rate = SweptSchedule(keras.optimizers.schedules.CosineDecay(0.1, 100))
        >>> rate.tried.assign(0.5)
        >>> float(rate(0)), rate.highest(100)
        (0.5, 0.1)
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: float = 1.0
    ) -> None:
        super().__init__(schedule, factor)
        self.tried = tf.Variable(0.0, trainable=False, dtype=tf.float32)

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step`, counted from 0."""
        rate = tf.convert_to_tensor(self.schedule(step))
        tried, factor = (tf.cast(v, rate.dtype) for v in (self.tried, self.factor))
        return tf.where(tried > 0.0, tried, rate * factor)

    def highest(self, updates: float) -> float:
        """Return the highest rate of the other schedule within so many updates, about.

        Args:
            updates: Of the whole fit; where it is infinite, the first 1,000 are looked at.
        """
        first, last = 0, (int(updates) if math.isfinite(updates) else 1000) - 1

        # A schedule may be any function: only looking at it tells.
        rates: dict[int, float] = {}
        for _ in range(2):  # over the whole range, then around the highest rate
            steps = np.unique(np.linspace(first, max(first, last), LOOKS).round().astype(np.int64))
            rates |= {int(step): float(self.schedule(tf.constant(step))) for step in steps}
            best = int(np.argmax([rates[int(step)] for step in steps]))
            first, last = int(steps[max(0, best - 1)]), int(steps[min(len(steps) - 1, best + 1)])

        return max(rates.values())
