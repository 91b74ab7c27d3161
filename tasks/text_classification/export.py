"""A text classifier as a SavedModel that takes strings."""

import os
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.common.saved_model import write_saved_model


def export_text_classifier(task: Any, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel whose ``serve`` takes texts and gives labels and probabilities.

    ``serve`` takes strings of shape (batch,) and gives ``{"label": strings of shape (batch,),
    "probabilities": float32 of shape (batch, classes)}``. It needs TensorFlow alone, for a
    keras-hub network also ``import tensorflow_text``, whose operations its tokenizer uses.

    Args:
        task: A TextClassification whose models are built.
        path: The folder.

    Example:
        >>> export_text_classifier(task, "exported")
        >>> served = tf.saved_model.load("exported")
        >>> served.serve(tf.constant(["What a film!"]))["label"]
    """
    names = tf.constant(task.class_names)

    def serve(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = task.predict_step(texts)  # (batch, classes)
        return {
            "label": tf.gather(names, tf.argmax(probabilities, axis=-1)),
            "probabilities": probabilities,
        }

    endpoints = {"serve": (serve, [tf.TensorSpec([None], tf.string)])}
    resources = task.classifier.export_resources()
    write_saved_model(path, (task.model, task.vocabulary), endpoints, resources)
