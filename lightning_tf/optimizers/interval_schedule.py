"""Learning rates in Lightning's words: a schedule of epochs or updates, every so many of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import describe
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.identifying_text import identifying_text

Schedule = Callable[[Any], Any]


class StepSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate that a schedule gives at every `frequency`-th update, which holds until the next.

    Args:
        schedule: A Keras schedule, or a function of how often it was asked, a float32 tensor.
        frequency: Updates from one rate to the next.
    """

    def __init__(self, schedule: Schedule, frequency: int = 1) -> None:
        self.schedule, self.frequency = schedule, frequency

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step`, counted from 0."""
        step = tf.convert_to_tensor(step) // self.frequency
        try:
            return tf.cast(self.schedule(tf.cast(step, tf.float32)), tf.float32)  # ()
        except (TypeError, IndexError, tf.errors.OperatorNotAllowedInGraphError) as error:
            raise ConfigurationError(
                f"lr_scheduler failed ({type(error).__name__}: {str(error).splitlines()[0]}): with "
                "interval='step' it gets a tensor in the graph; use tf.where and the like, a "
                "keras.optimizers.schedules.LearningRateSchedule, or interval='epoch'."
            ) from error

    def get_config(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        return _config(self.schedule, self.frequency)


class EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate that a schedule gives at the beginning of an epoch, which holds until the next.

    Made in the scope of the run. The schedule is called on the host, with the number of the epoch
    divided by `frequency`: functions may be plain Python.

    Args:
        schedule: A Keras schedule, or a function of an integer.
        frequency: Epochs from one rate to the next.

    Attributes:
        rate: A float32 variable.
    """

    def __init__(self, schedule: Schedule, frequency: int = 1) -> None:
        self.schedule, self.frequency = schedule, frequency
        self.rate = tf.Variable(self._rate_of(0), trainable=False, dtype=tf.float32)

    def begin_epoch(self, epoch: int) -> None:
        """Take the rate of an epoch."""
        self.rate.assign(self._rate_of(epoch))

    def __call__(self, step: Any) -> Any:
        """Return the rate of the current epoch."""
        return tf.convert_to_tensor(self.rate)

    def get_config(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        return _config(self.schedule, self.frequency)

    def _rate_of(self, epoch: int) -> float:
        try:
            given = self.schedule(epoch // self.frequency)
        except Exception as error:
            raise ConfigurationError(
                f"lr_scheduler failed for epoch {epoch} ({type(error).__name__}: {error}): it "
                "takes the number of the epoch and returns the learning rate."
            ) from error
        try:
            rate = float(given)
        except (TypeError, ValueError):
            rate = math.nan
        if not 0.0 <= rate < math.inf:
            raise ConfigurationError(
                f"lr_scheduler gave {describe(given)} for epoch {epoch}; return the learning rate "
                "itself, a number of at least 0."
            )
        return rate


def _config(schedule: Schedule, frequency: int) -> dict[str, Any]:
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        try:
            known = {"schedule": keras.saving.serialize_keras_object(schedule)}
        except NotImplementedError:  # of a user's class without get_config
            known = {"schedule": type(schedule).__name__}
    else:
        known = {"schedule": identifying_text(schedule) or type(schedule).__name__}
    return {**known, "frequency": frequency}
