"""AreaUnderCurve: how well classes are ranked, from integer labels and logits."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class AreaUnderCurve(keras.metrics.AUC):  # type: ignore[misc]
    """The area under the ROC curve: of class 1 where there are two classes, else one against rest.

    Keras' AUC with 200 thresholds, fed with integer labels and logits. With more than two classes
    it is the mean of the areas of each class against all others.

    Args:
        num_classes: Number of classes.
        name: As of `keras.metrics.Metric`.

    Example:
        >>> auc = AreaUnderCurve(2)
        >>> auc.update_state([0, 1], [[2.0, 1.0], [0.0, 1.0]])
        >>> round(float(auc.result()), 3)
        1.0
    """

    def __init__(self, num_classes: int, name: str = "auc") -> None:
        several = num_classes > 2
        super().__init__(
            name=name, multi_label=several, num_labels=num_classes if several else None
        )
        self.classes = num_classes

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take labels of shape (batch,) and logits of shape (batch, classes)."""
        probabilities = tf.nn.softmax(tf.cast(y_pred, tf.float32))
        labels = tf.one_hot(tf.cast(tf.reshape(y_true, [-1]), tf.int32), self.classes)
        if self.classes == 2:
            labels, probabilities = labels[:, 1], probabilities[:, 1]
        super().update_state(labels, probabilities, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """What makes the same metric again."""
        return {"num_classes": self.classes, "name": self.name}
