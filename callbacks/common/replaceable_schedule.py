"""ReplaceableSchedule: a learning rate schedule until a callback sets the rate."""

from typing import Any

import keras
import tensorflow as tf

UNSET = -1.0


class ReplaceableSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Gives the rate of another schedule, or the one that was set in its place.

    Args:
        schedule: Of Keras.

    Attributes:
        replacement: A float32 variable, negative as long as the schedule counts.
    """

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule
        # A variable, so that a step that is traced once follows it.
        self.replacement = tf.Variable(UNSET, trainable=False, dtype=tf.float32)

    def __call__(self, step: Any) -> Any:
        """Return the rate of update `step`, counted from 0."""
        rate = self.schedule(step)
        replacement = tf.cast(tf.convert_to_tensor(self.replacement), rate.dtype)
        return tf.where(replacement >= 0.0, replacement, rate)

    def get_config(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}
