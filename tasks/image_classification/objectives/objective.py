"""Objective: what an image task learns of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.tasks.image_classification.image_classification import ImageClassification


class Objective:
    """Targets, loss, metrics and predictions of an image task.

    A subclass says what the model's outputs, float32 of shape (batch, outputs), are taken for.

    Args:
        task: The task, whose data are known and whose model may not be there yet.

    Raises:
        ConfigurationError: An option of the task has no meaning for it.
    """

    refused: tuple[str, ...] = ()
    """Options of the task that have no meaning."""
    name: str

    def __init__(self, task: ImageClassification) -> None:
        for option in self.refused:
            value = getattr(task, option)
            if value:
                raise ConfigurationError(
                    f"{option}={value!r} has no meaning for objective={self.name!r}; leave it out."
                )

    def configure(self, task: ImageClassification, spec: ImageSpec) -> None:
        """Prepare the task, whose model is built."""

    def prepare_training(self, task: ImageClassification) -> None:
        """Learn from the training targets before the first step."""

    def callbacks(self) -> list[Callback]:
        """Return what the task brings along."""
        return []

    def metrics(self, task: ImageClassification) -> dict[str, keras.metrics.Metric]:
        """Return the metrics."""
        raise NotImplementedError

    def targets(self, task: ImageClassification, labels: Any) -> tf.Tensor:
        """Return the targets of a batch's labels as augmentation takes them, (batch, outputs)."""
        raise NotImplementedError

    def training_loss(self, task: ImageClassification, targets: Any, outputs: Any) -> tf.Tensor:
        """Return the loss of targets, which may be mixtures; update the metrics."""
        raise NotImplementedError

    def validation_loss(self, task: ImageClassification, labels: Any, outputs: Any) -> tf.Tensor:
        """Return the loss of a batch's labels; update the metrics."""
        raise NotImplementedError

    def predictions(self, task: ImageClassification, outputs: Any) -> tf.Tensor:
        """Return what `predict_step` gives."""
        raise NotImplementedError

    def variables(self, task: ImageClassification) -> list[keras.Variable]:
        """Return the variables beside the model's that `predictions` reads."""
        return []

    def columns(self, task: ImageClassification, outputs: Any) -> dict[str, Any]:
        """Return the columns of a table of predictions."""
        raise NotImplementedError

    def exported(self, task: ImageClassification, predictions: Any) -> dict[str, tf.Tensor]:
        """Return what an exported model gives, by name."""
        raise NotImplementedError


def refuse_activation(task: ImageClassification, activation: str | None, remedy: str) -> None:
    """Refuse a model that ends in another activation than its targets need.

    Raises:
        ConfigurationError: Names the model and its activation.
    """
    if activation is not None:
        raise ConfigurationError(f"network {task.model.name!r} ends in a {activation}; {remedy}.")
