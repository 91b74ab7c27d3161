"""OneClass: an image is of one of several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.image_targets import CLASSIFICATION
from lightning_tf.prediction_columns import class_columns
from lightning_tf.tasks.common.classification_task import flat_labels
from lightning_tf.tasks.common.confusion_matrix import ConfusionMatrix
from lightning_tf.tasks.common.metrics import Accuracy
from lightning_tf.tasks.common.prediction_grid import PredictionGrid
from lightning_tf.tasks.image_classification.objectives.objective import Objective

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification

TOP = 5


class OneClass(Objective):
    """Softmax cross entropy; accuracy, and top-5 accuracy of more than five classes."""

    name = CLASSIFICATION

    def configure(self, task: ImageClassification, spec: ImageSpec) -> None:
        """Make confusion counts and class weights."""
        task.set_classes(spec.num_classes)

    def callbacks(self) -> list[Callback]:
        """Return a confusion matrix and a grid of predictions."""
        return [ConfusionMatrix(), PredictionGrid()]

    def metrics(self, task: ImageClassification) -> dict[str, keras.metrics.Metric]:
        """Return the metrics."""
        metrics = {"accuracy": Accuracy()}
        if task.num_classes > TOP:
            metrics[f"top_{TOP}_accuracy"] = keras.metrics.SparseTopKCategoricalAccuracy(TOP)
        return metrics

    def targets(self, task: ImageClassification, labels: Any) -> tf.Tensor:
        """Return the labels one-hot."""
        return tf.one_hot(flat_labels(labels), task.num_classes, dtype=tf.float32)

    def training_loss(self, task: ImageClassification, targets: Any, outputs: Any) -> tf.Tensor:
        """Return the smoothed and weighted loss; the larger share of a mixture is its class."""
        task.update_metrics(tf.argmax(targets, axis=-1), outputs)
        return task.training_loss(targets, outputs)

    def validation_loss(self, task: ImageClassification, labels: Any, outputs: Any) -> tf.Tensor:
        """Return the plain cross entropy; update the confusion counts."""
        return task.validation_loss(flat_labels(labels), outputs)

    def predictions(self, task: ImageClassification, outputs: Any) -> tf.Tensor:
        """Return probabilities that sum to 1."""
        return tf.nn.softmax(outputs)

    def columns(self, task: ImageClassification, outputs: Any) -> dict[str, Any]:
        """Return label, class and probabilities."""
        return class_columns(outputs, task.class_names)

    def exported(self, task: ImageClassification, predictions: Any) -> dict[str, tf.Tensor]:
        """Return the label, its probability and those of all classes."""
        names = tf.constant(task.class_names)
        return {
            "label": tf.gather(names, tf.argmax(predictions, axis=-1)),
            "probability": tf.reduce_max(predictions, axis=-1),
            "probabilities": predictions,
        }
