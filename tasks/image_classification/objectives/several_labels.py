"""SeveralLabels: an image has any number of several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.image_targets import MULTI_LABEL
from lightning_tf.prediction_columns import label_columns
from lightning_tf.tasks.common.label_grid import LabelGrid
from lightning_tf.tasks.common.multi_label_scores import MultiLabelScores
from lightning_tf.tasks.image_classification.objectives.objective import (
    Objective,
    refuse_activation,
)

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification


class SeveralLabels(Objective):
    """Binary cross entropy of a sigmoid for each label; accuracy, AUC and F1 of each and of all."""

    name = MULTI_LABEL
    refused = ("class_weight", "sampling")

    def configure(self, task: ImageClassification, spec: ImageSpec) -> None:
        """Refuse a model whose outputs compete."""
        task.num_classes, task.confusion_counts = spec.num_classes, None
        softmax = "softmax" if task.built.probabilities else None
        refuse_activation(task, softmax, "labels that go together need logits or a sigmoid")

    def callbacks(self) -> list[Callback]:
        """Return a grid of predictions."""
        return [LabelGrid()]

    def metrics(self, task: ImageClassification) -> dict[str, keras.metrics.Metric]:
        """Return the metrics."""
        return {"scores": MultiLabelScores(task.class_names)}

    def targets(self, task: ImageClassification, labels: Any) -> tf.Tensor:
        """Return the labels as float32."""
        return tf.cast(labels, tf.float32)

    def training_loss(self, task: ImageClassification, targets: Any, outputs: Any) -> tf.Tensor:
        """Return the smoothed loss; the larger share of a mixture decides in the metrics."""
        task.update_metrics(tf.round(targets), outputs)
        smoothing = task.label_smoothing  # as keras.losses.BinaryCrossentropy smooths
        smoothed = targets * (1.0 - smoothing) + 0.5 * smoothing
        return tf.add_n([_cross_entropy(smoothed, outputs), *task.added_losses()])

    def validation_loss(self, task: ImageClassification, labels: Any, outputs: Any) -> tf.Tensor:
        """Return the plain loss."""
        targets = self.targets(task, labels)
        task.update_metrics(targets, outputs)
        return _cross_entropy(targets, outputs)

    def predictions(self, task: ImageClassification, outputs: Any) -> tf.Tensor:
        """Return a probability for each label."""
        return tf.sigmoid(outputs)

    def columns(self, task: ImageClassification, outputs: Any) -> dict[str, Any]:
        """Return labels and the probability of each."""
        return label_columns(outputs, task.class_names)

    def exported(self, task: ImageClassification, predictions: Any) -> dict[str, tf.Tensor]:
        """Return the probabilities."""
        return {"probabilities": predictions}


def _cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the mean over examples and labels."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))
