"""Numbers: an image shows one or several numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.image_targets import REGRESSION, checked_targets
from lightning_tf.data.training_targets import training_targets
from lightning_tf.prediction_columns import number_columns
from lightning_tf.tasks.common.feature_scaler import FeatureScaler, warn_of_equal
from lightning_tf.tasks.common.regression_losses import regression_loss
from lightning_tf.tasks.common.regression_metrics import (
    regression_metrics,
    update_regression_metrics,
)
from lightning_tf.tasks.common.regression_report import RegressionReport
from lightning_tf.tasks.image_classification.objectives.objective import (
    Objective,
    refuse_activation,
)

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification


class Numbers(Objective):
    """Mean squared error of numbers scaled by the training split; errors in the data's units."""

    name = REGRESSION
    refused = ("class_weight", "sampling", "label_smoothing")

    def configure(self, task: ImageClassification, spec: ImageSpec) -> None:
        """Make the scale of the targets, which a checkpoint holds."""
        task.num_classes, task.confusion_counts = spec.num_classes, None
        task.targets = spec.class_names
        remedy = "numbers of any size need a linear layer at the end"
        refuse_activation(task, task.built.final_activation, remedy)
        task.target_scaler = FeatureScaler(
            spec.num_classes, precise=spec.precise_targets, name="target_scaler"
        )

    def prepare_training(self, task: ImageClassification) -> None:
        """Fit a scale that no checkpoint has brought to the training targets."""
        if not task.target_scaler.is_fitted:
            values = training_targets(cast(DataModule, task.images_data))
            values = checked_targets("training", values, REGRESSION)  # (examples, numbers)
            task.target_scaler.fit([values])
            warn_of_equal(task.target_scaler, values, task.targets)

    def callbacks(self) -> list[Callback]:
        """Return an image of predictions and learning curves."""
        return [RegressionReport(batch_size=32)]

    def metrics(self, task: ImageClassification) -> dict[str, keras.metrics.Metric]:
        """Return the metrics."""
        return regression_metrics(task.num_classes)

    def targets(self, task: ImageClassification, labels: Any) -> tf.Tensor:
        """Return scaled numbers."""
        labels = tf.reshape(labels, [-1, task.num_classes])  # also of (batch,)
        return task.target_scaler(labels)

    def training_loss(self, task: ImageClassification, targets: Any, outputs: Any) -> tf.Tensor:
        """Return the loss of scaled numbers."""
        return tf.add_n([_loss(task, targets, outputs), *task.added_losses()])

    def validation_loss(self, task: ImageClassification, labels: Any, outputs: Any) -> tf.Tensor:
        """Return the loss of scaled numbers."""
        return _loss(task, self.targets(task, labels), outputs)

    def predictions(self, task: ImageClassification, outputs: Any) -> tf.Tensor:
        """Return numbers in the data's units."""
        return task.target_scaler.inverse(outputs)

    def variables(self, task: ImageClassification) -> list[keras.Variable]:
        """Return the scale of the targets."""
        return list(task.target_scaler.variables)

    def columns(self, task: ImageClassification, outputs: Any) -> dict[str, Any]:
        """Return numbers by their names."""
        return number_columns(outputs, task.targets)

    def exported(self, task: ImageClassification, predictions: Any) -> dict[str, tf.Tensor]:
        """Return the numbers."""
        return {"values": predictions}


def _loss(task: ImageClassification, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Return the mean squared error of scaled numbers; update the metrics."""
    update_regression_metrics(task.metrics, task.target_scaler, targets, outputs)
    return regression_loss(targets, outputs, "mse")
