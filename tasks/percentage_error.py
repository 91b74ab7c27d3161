"""PercentageError: errors as a share of the true values."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class PercentageError(keras.metrics.Mean):  # type: ignore[misc]
    """The mean absolute percentage error over true values that are not 0.

    Keras' metric divides by a tiny number where the truth is 0, so that one such value is all that
    the mean tells; here it is left out.

    Example:
        >>> metric = PercentageError()
        >>> metric.update_state([10.0, 0.0], [9.0, 5.0])
        >>> round(float(metric.result()), 3)
        10.0
    """

    def __init__(self, name: str = "mape") -> None:
        super().__init__(name=name, dtype="float32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take true and forecast values of one shape."""
        y_true, y_pred = tf.cast(y_true, tf.float32), tf.cast(y_pred, tf.float32)
        share = tf.math.divide_no_nan(tf.abs(y_true - y_pred), tf.abs(y_true))
        counts = tf.cast(tf.not_equal(y_true, 0.0), tf.float32)
        super().update_state(100.0 * share, sample_weight=counts)

    def get_config(self) -> dict[str, Any]:
        """What makes the same metric again."""
        return {"name": self.name}
