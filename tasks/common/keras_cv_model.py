"""KerasCV's backbones and classifiers as networks; keras-cv itself is never imported here."""

from typing import Any

import keras


def is_from_keras_cv(value: Any) -> bool:
    """Return whether a layer's or model's class, or one that it inherits from, is KerasCV's."""
    return any(base.__module__.split(".")[0] == "keras_cv" for base in type(value).__mro__)


def rescales(model: Any) -> bool:
    """Return whether a KerasCV backbone, or a model's, takes images in [0, 255] as they are."""
    backbone = getattr(model, "backbone", model)
    return is_from_keras_cv(backbone) and bool(getattr(backbone, "include_rescaling", False))


def keras_cv_classifier(network: keras.Model, num_classes: int) -> keras.Model:
    """Put a head on a KerasCV backbone, or return any other model of KerasCV as it is.

    The head is that of `keras_cv.models.ImageClassifier`, a mean over places and a dense layer,
    but for float32 logits under mixed precision too.

    Args:
        network: A backbone, whose class name ends so, or a classifier.
        num_classes: How many classes there are.

    Returns:
        A model from images to (batch, num_classes).

    Example:
        >>> backbone = keras_cv.models.CSPDarkNetBackbone(...)
        >>> keras_cv_classifier(backbone, num_classes=10).output_shape
        (None, 10)
    """
    if not any(base.__name__ == "Backbone" for base in type(network).__mro__):
        return network
    pooled = keras.layers.GlobalAveragePooling2D(name="pooler")(network.output)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="predictions")(pooled)
    return keras.Model(network.input, logits, name=f"{network.name}_classifier")
