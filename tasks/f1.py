"""F1: the harmonic mean of precision and recall."""

from __future__ import annotations

import tensorflow as tf

from lightning_tf.tasks.confusion_counts import ConfusionCounts


class F1(ConfusionCounts):
    """F1 from counts: of class 1 where there are two classes, else the mean over all classes.

    A class that is neither there nor predicted has an F1 of 0, as in scikit-learn.

    Args:
        num_classes: Number of classes.
        name: As of `keras.metrics.Metric`.

    Example:
        >>> f1 = F1(2)
        >>> f1.update_state([0, 1, 1], [[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
        >>> round(float(f1.result()), 3)
        0.667
    """

    def __init__(self, num_classes: int, name: str = "f1") -> None:
        super().__init__(num_classes, name)

    def result(self) -> tf.Tensor:
        """F1 so far."""
        counts = tf.convert_to_tensor(self.counts)
        sizes = tf.reduce_sum(counts, axis=0) + tf.reduce_sum(counts, axis=1)
        scores = tf.math.divide_no_nan(2.0 * tf.linalg.diag_part(counts), sizes)
        return scores[1] if self.num_classes == 2 else tf.reduce_mean(scores)
