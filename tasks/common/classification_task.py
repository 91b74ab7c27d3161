"""ClassificationTask: what tasks that tell classes apart have in common."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.tasks.common.class_weights import ClassWeight, class_weights
from lightning_tf.tasks.common.confusion_matrix import MOST_CONFUSED_CLASSES
from lightning_tf.tasks.common.constructed_data import ConstructedData
from lightning_tf.tasks.common.metrics import ConfusionCounts
from lightning_tf.tasks.common.optimizer_settings import OptimizerSettings


class ClassificationTask(ConstructedData):
    """A Task whose `model` gives one logit for each class, in float32.

    A subclass sets `optimizer_settings`, `label_smoothing` and `class_weight` in its constructor
    and calls `set_classes` in `configure_model`.

    Attributes:
        label_smoothing: Share of each training label that is spread evenly over all classes.
        class_weight: ``balanced``, or a weight by class; see `class_weights`.
        confusion_counts: Counts of `ConfusionMatrix`, or None where there are too many classes.
    """

    model: keras.Model
    optimizer_settings: OptimizerSettings
    label_smoothing: float = 0.0
    class_weight: ClassWeight = None
    class_names: Any
    num_classes: int
    confusion_counts: ConfusionCounts | None

    def set_classes(self, num_classes: int) -> None:
        """Keep the number of classes and make the confusion counts."""
        self.num_classes = num_classes
        is_drawn = num_classes <= MOST_CONFUSED_CLASSES
        self.confusion_counts = ConfusionCounts(num_classes) if is_drawn else None

        # A task from a checkpoint without data is only asked, never trained.
        data = self.labelled_data()
        self.class_weights = (
            None
            if self.class_weight is None or data is None
            else class_weights(self.class_weight, data, self.class_names)
        )

    def labelled_data(self) -> DataModule | None:
        """Return the data whose training labels are counted: those that `data` may wrap."""
        return self.data

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, with its schedule over the updates of this fit."""
        return self.optimizer_settings.build(self.trainer.estimated_stepping_batches, self.model)

    def training_loss(self, targets: Any, logits: Any) -> tf.Tensor:
        """Return the mean cross entropy with smoothed targets, plus what the layers add.

        With `class_weight` an example's loss is multiplied by its class's weight, before the mean
        over the batch, as in Keras' fit; of mixed labels by the mixture of the weights.

        Args:
            targets: Float32 of shape (batch, classes), each row summing to 1.
            logits: Float32 of shape (batch, classes).
        """
        smoothed = targets * (1.0 - self.label_smoothing) + self.label_smoothing / self.num_classes
        losses = tf.nn.softmax_cross_entropy_with_logits(smoothed, logits)  # (batch,)
        if self.class_weights is not None:
            losses *= tf.linalg.matvec(targets, tf.constant(self.class_weights))
        return tf.add_n([tf.reduce_mean(losses), *self.added_losses()])

    def added_losses(self) -> list[tf.Tensor]:
        """Return what the model's layers add to the training loss, such as regularization."""
        return [tf.cast(loss, tf.float32) for loss in self.model.losses]

    def validation_loss(self, labels: Any, logits: Any) -> tf.Tensor:
        """Return the mean cross entropy; update metrics and confusion counts.

        Label smoothing, class weights and added losses are left out, so that ``val_loss`` compares
        across options.

        Args:
            labels: Integers of shape (batch,).
            logits: Float32 of shape (batch, classes).
        """
        self.update_metrics(labels, logits)
        if self.confusion_counts is not None:
            self.confusion_counts.update_state(labels, logits)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def flat_labels(labels: Any) -> tf.Tensor:
    """Return labels of any integer type and shape as int32 of shape (batch,)."""
    wide = tf.cast(labels, tf.int64)  # a GPU reshapes int32 on the host, and would wait for it
    return tf.cast(tf.reshape(wide, [-1]), tf.int32)
