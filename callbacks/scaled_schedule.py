"""ScaledSchedule: a learning rate schedule times a factor that can change while it runs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import learning_rate_of


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Multiplies another schedule by a factor.

    Args:
        schedule: The schedule to scale.
        factor: The first factor: a float, or a variable that others change.

    Example:
        >>> rate = ScaledSchedule(keras.optimizers.schedules.CosineDecay(0.1, 100), factor=0.5)
        >>> rate.factor.assign(0.1)
        >>> round(float(rate(0)), 3)
        0.01
    """

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: Any = 1.0
    ) -> None:
        self.schedule = schedule
        if not isinstance(factor, tf.Variable):
            factor = tf.Variable(factor, trainable=False, dtype=tf.float32)

        # A variable, so that a step that is traced once follows it.
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step`, counted from 0."""
        rate = self.schedule(step)
        return rate * keras.ops.cast(tf.convert_to_tensor(self.factor), rate.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, with the factor as it is now."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": float(self.factor)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ScaledSchedule:
        """Make the schedule that `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["factor"])


def scale_schedule(
    optimizer: keras.optimizers.Optimizer, what: str, remedy: str = ""
) -> tf.Variable | None:
    """Let the schedule of an optimizer be scaled, before its step is traced.

    A traced step would keep the old schedule.

    Args:
        optimizer: Gets a `ScaledSchedule` around its schedule, once.
        what: Names the rate in the message.
        remedy: Completes the message.

    Returns:
        The factor of the schedule; None where the rate is a plain number.

    Raises:
        ConfigurationError: The rate is neither a number nor a Keras schedule.
    """
    schedule = learning_rate_of(optimizer)
    if isinstance(schedule, ScaledSchedule):  # another callback scales it, too
        return schedule.factor
    if isinstance(schedule, keras.Variable):
        return None
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        raise ConfigurationError(
            f"{what} is {schedule!r}; give a float or a keras LearningRateSchedule{remedy}."
        )

    optimizer.learning_rate = scaled = ScaledSchedule(schedule)
    return scaled.factor
