"""MultiLabelScores: how well each of several labels of an example is told."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

THRESHOLDS = 201  # evenly from 0 to 1, one half among them
HALF = THRESHOLDS // 2


class MultiLabelScores(keras.metrics.AUC):  # type: ignore[misc]
    """Accuracy, F1 at a probability of one half and area under the ROC curve, by label and mean.

    All are taken of the same counts of true and false positives. The means ``accuracy``, ``f1`` and
    ``auc`` weigh all labels alike; ``f1_cat`` is that of the label cat. A label that all or none of
    the examples have has no curve: its ``auc`` is NaN, and the mean is over the others. Where a
    label is neither there nor predicted, its F1 is 0, as in scikit-learn.

    Args:
        labels: Their names.
        name: As of `keras.metrics.Metric`.

    Example:
        >>> scores = MultiLabelScores(["cat", "dog"])
        >>> scores.update_state([[1, 0], [0, 0]], [[2.0, -1.0], [-1.0, 1.0]])
        >>> {key: float(value) for key, value in scores.result().items()}["accuracy_dog"]
        0.5
    """

    def __init__(self, labels: Sequence[str], name: str = "scores") -> None:
        self.labels = [str(label) for label in labels]
        super().__init__(
            num_thresholds=THRESHOLDS, name=name, multi_label=True, num_labels=len(self.labels)
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take labels of 0 and 1 and logits, both of shape (batch, labels)."""
        probabilities = tf.sigmoid(tf.cast(y_pred, tf.float32))
        super().update_state(tf.cast(y_true, tf.float32), probabilities, sample_weight)

    def result(self) -> dict[str, tf.Tensor]:
        """Return means and scores of each label, float32 scalars by name."""
        true_positives, false_positives, true_negatives, false_negatives = (
            tf.convert_to_tensor(counts)  # (thresholds, labels)
            for counts in (
                self.true_positives,
                self.false_positives,
                self.true_negatives,
                self.false_negatives,
            )
        )
        right = true_positives[HALF] + true_negatives[HALF]  # (labels,)
        wrong = false_positives[HALF] + false_negatives[HALF]
        positives = true_positives[0] + false_negatives[0]
        negatives = false_positives[0] + true_negatives[0]

        recall = true_positives / positives
        fall_out = false_positives / negatives
        strips = (recall[:-1] + recall[1:]) / 2.0 * (fall_out[:-1] - fall_out[1:])
        area = tf.reduce_sum(strips, axis=0)  # (labels,), NaN where a label has no curve
        has_curve = (positives > 0.0) & (negatives > 0.0)

        scores = {
            "accuracy": tf.math.divide_no_nan(right, right + wrong),
            "f1": tf.math.divide_no_nan(
                2.0 * true_positives[HALF], 2.0 * true_positives[HALF] + wrong
            ),
            "auc": tf.where(has_curve, area, float("nan")),
        }
        means = {name: tf.reduce_mean(values) for name, values in scores.items()}
        known = tf.boolean_mask(area, has_curve)
        means["auc"] = tf.cond(
            tf.size(known) > 0, lambda: tf.reduce_mean(known), lambda: float("nan")
        )
        return means | {
            f"{name}_{label}": values[place]
            for name, values in scores.items()
            for place, label in enumerate(self.labels)
        }

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"labels": self.labels, "name": self.name}
