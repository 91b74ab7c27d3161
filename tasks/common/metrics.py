"""Metrics that Keras lacks, or that take integer labels and logits where Keras' do not."""

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
        probabilities = tf.nn.softmax(tf.cast(y_pred, tf.float32))  # (batch, classes)
        labels = tf.one_hot(_flat(y_true), self.classes)
        if self.classes == 2:  # one curve: that of class 0 is its mirror image
            labels, probabilities = labels[:, 1], probabilities[:, 1]
        super().update_state(labels, probabilities, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"num_classes": self.classes, "name": self.name}


class Accuracy(keras.metrics.SparseCategoricalAccuracy):  # type: ignore[misc]
    """Keras' accuracy of integer labels, whose `argmax` compares signs on the host of a GPU.

    Args:
        name: As of `keras.metrics.Metric`.

    Example:
        >>> accuracy = Accuracy()
        >>> accuracy.update_state([0, 1], [[2.0, 1.0], [3.0, 1.0]])
        >>> float(accuracy.result())
        0.5
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take labels of shape (batch,) and logits of shape (batch, classes)."""
        predicted = tf.argmax(y_pred, axis=-1, output_type=tf.int64)  # (batch,)
        labels = tf.reshape(tf.cast(y_true, tf.int64), tf.shape(predicted))
        matches = tf.cast(tf.equal(labels, predicted), tf.float32)
        keras.metrics.Mean.update_state(self, matches, sample_weight)


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
        predicted = tf.argmax(y_pred, axis=-1)  # (batch,) int64: a GPU stacks int32 on the host
        labels = _flat(y_true)
        # What tf.math.confusion_matrix does, without its assertions, which every step would run.
        cells = tf.cast(tf.stack([labels, predicted], axis=1), tf.int32)  # (batch, 2)
        ones = tf.ones_like(predicted, tf.float32)
        self.counts.assign_add(tf.scatter_nd(cells, ones, self.counts.shape))

    def result(self) -> Any:
        """Return the matrix, float32 of shape (num_classes, num_classes)."""
        return tf.convert_to_tensor(self.counts)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"num_classes": self.num_classes, "name": self.name}


class F1(ConfusionCounts):
    """F1 from counts: of class 1 where there are two classes, else the mean over all classes.

    A class that is neither among the labels nor predicted has an F1 of 0, as in scikit-learn.

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
        """Return the F1 of all batches so far."""
        counts = tf.convert_to_tensor(self.counts)  # (classes, classes)
        # F1 is 2 TP / (true + predicted), which needs no precision and recall of 0 / 0.
        sizes = tf.reduce_sum(counts, axis=0) + tf.reduce_sum(counts, axis=1)  # (classes,)
        scores = tf.math.divide_no_nan(2.0 * tf.linalg.diag_part(counts), sizes)
        return scores[1] if self.num_classes == 2 else tf.reduce_mean(scores)


class PercentageError(keras.metrics.Mean):  # type: ignore[misc]
    """The mean absolute percentage error over true values that are not 0.

    Keras' metric divides by a tiny number where the truth is 0, so that one such value outweighs
    all others; here it is left out.

    Args:
        name: As of `keras.metrics.Metric`.
        dtype: Of the arithmetic and the sums.

    Example:
        >>> metric = PercentageError()
        >>> metric.update_state([10.0, 0.0], [9.0, 5.0])
        >>> round(float(metric.result()), 3)
        10.0
    """

    def __init__(self, name: str = "mape", dtype: str = "float32") -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take true and forecast values of one shape."""
        y_true, y_pred = tf.cast(y_true, self.dtype), tf.cast(y_pred, self.dtype)
        share = tf.math.divide_no_nan(tf.abs(y_true - y_pred), tf.abs(y_true))
        counts = tf.cast(tf.not_equal(y_true, 0.0), self.dtype)  # a weight of 0 leaves a value out
        super().update_state(100.0 * share, sample_weight=counts)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"name": self.name, "dtype": self.dtype}


# Not keras.metrics.R2Score, which is NaN as soon as one target is constant.
class R2(keras.metrics.Metric):  # type: ignore[misc]
    """The coefficient of determination, the mean over targets.

    1 for predictions without error, 0 for the mean of the true values, and below 0 for worse ones.
    It keeps sums only, which can be added over replicas; a target that never changes counts as 0.
    Give it scaled values: in float32, sums of squares far from 0 lose the differences.

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
        """Return the mean over targets of 1 - residuals / variance."""
        count = tf.maximum(tf.convert_to_tensor(self.count), 1.0)
        mean = tf.convert_to_tensor(self.sum) / count  # (targets,)
        total = tf.convert_to_tensor(self.squares) - count * tf.square(mean)
        explained = 1.0 - tf.convert_to_tensor(self.residuals) / total
        return tf.reduce_mean(tf.where(total > 0.0, explained, 0.0))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"targets": self.targets, "name": self.name}


def _flat(labels: Any) -> tf.Tensor:
    """Return labels as int64 of shape (batch,): a GPU reshapes int32 on the host."""
    return tf.reshape(tf.cast(labels, tf.int64), [-1])
