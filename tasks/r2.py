"""R2: the share of the variance that predictions explain."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class R2(keras.metrics.Metric):  # type: ignore[misc]
    """The coefficient of determination, the mean over targets.

    1 for predictions without error, 0 for the mean of the true values, and below 0 for worse ones.
    It keeps sums alone, so that it adds up over replicas; a target that never changes counts as 0.
    Give it scaled values: sums of squares far from 0 lose what they differ by.

    Args:
        targets: How many numbers an example has.
        name: As of `keras.metrics.Metric`.

    Example:
        >>> r2 = R2(1)
        >>> r2.update_state([[1.0], [3.0]], [[1.0], [3.0]])
        >>> float(r2.result())
        1.0
    """

    def __init__(self, targets: int, name: str = "r2") -> None:
        super().__init__(name=name, dtype="float32")
        self.targets = targets
        self.count = self.add_variable((), "zeros", name="count")
        self.sum = self.add_variable((targets,), "zeros", name="sum")
        self.squares = self.add_variable((targets,), "zeros", name="squares")
        self.residuals = self.add_variable((targets,), "zeros", name="residuals")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take values of shape (batch, targets).

        Args:
            y_true: True values.
            y_pred: Predictions.
            sample_weight: Unused: every example counts alike.
        """
        y_true, y_pred = tf.cast(y_true, tf.float32), tf.cast(y_pred, tf.float32)
        self.count.assign_add(tf.cast(tf.shape(y_true)[0], tf.float32))
        self.sum.assign_add(tf.reduce_sum(y_true, axis=0))
        self.squares.assign_add(tf.reduce_sum(tf.square(y_true), axis=0))
        self.residuals.assign_add(tf.reduce_sum(tf.square(y_true - y_pred), axis=0))

    def result(self) -> Any:
        """The mean over targets of 1 - residuals / variance."""
        count = tf.maximum(tf.convert_to_tensor(self.count), 1.0)
        mean = tf.convert_to_tensor(self.sum) / count
        total = tf.convert_to_tensor(self.squares) - count * tf.square(mean)
        explained = 1.0 - tf.convert_to_tensor(self.residuals) / total
        return tf.reduce_mean(tf.where(total > 0.0, explained, 0.0))

    def get_config(self) -> dict[str, Any]:
        """What makes the same metric again."""
        return {"targets": self.targets, "name": self.name}
