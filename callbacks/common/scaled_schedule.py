"""ScaledSchedule: a learning rate schedule times a factor that can change while it runs."""

from __future__ import annotations

from collections.abc import Mapping
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


def scale_schedules(
    owner: str, optimizers: Mapping[str, keras.optimizers.Optimizer], remedy: str = ""
) -> dict[str, tf.Variable]:
    """Let the schedules of optimizers be scaled, before their step is traced.

    A traced step would keep the old schedules.

    Args:
        owner: The callback's class, for messages.
        optimizers: By name; each gets a `ScaledSchedule` around its schedule, once.
        remedy: Completes the message.

    Returns:
        The factors of the schedules; a plain number has none.

    Raises:
        ConfigurationError: A rate is neither a number nor a Keras schedule.
    """
    factors = {}
    for name, optimizer in optimizers.items():
        schedule = learning_rate_of(optimizer)
        if isinstance(schedule, keras.Variable):
            continue

        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            raise ConfigurationError(
                f"{owner}: the learning rate of optimizer {name or 'of the task'!r} is "
                f"{schedule!r}; give a float or a keras LearningRateSchedule{remedy}."
            )
        # Another callback may scale it, too; a subclass has its factor for itself.
        if type(schedule) is not ScaledSchedule:
            optimizer.learning_rate = schedule = ScaledSchedule(schedule)
        factors[name] = schedule.factor
    return factors
