"""ConfusionCounts: how often each class was taken for each, counted on the device."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class ConfusionCounts(keras.metrics.Metric):  # type: ignore[misc]
    """A running confusion matrix: rows are true classes, columns predicted ones.

    Args:
        num_classes: Number of classes.
        name: As of `keras.metrics.Metric`.

    Example:
        >>> counts = ConfusionCounts(2)
        >>> counts.update_state([0, 1, 1], [[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
        >>> counts.result().numpy().astype(int).tolist()
        [[1, 0], [1, 1]]
    """

    def __init__(self, num_classes: int, name: str = "confusion_counts") -> None:
        super().__init__(name=name, dtype="float32")
        self.num_classes = num_classes
        # float32 counts exactly up to 16 million in one cell, and sums over replicas everywhere.
        self.counts = self.add_variable((num_classes, num_classes), "zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: Integers of shape (batch,).
            y_pred: Logits or probabilities of shape (batch, num_classes).
            sample_weight: Unused: the matrix counts examples.
        """
        predicted = tf.argmax(y_pred, axis=-1, output_type=tf.int32)
        found = tf.math.confusion_matrix(y_true, predicted, self.num_classes, dtype=tf.float32)
        self.counts.assign_add(found)

    def result(self) -> Any:
        """The matrix, float32 of shape (num_classes, num_classes)."""
        return tf.convert_to_tensor(self.counts)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"num_classes": self.num_classes, "name": self.name}
