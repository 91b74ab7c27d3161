"""Classifier: what a user names as `network`, made into a Keras model for given images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.image_targets import CLASSIFICATION
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.common.built_classifier import (
    BuiltClassifier,
    ends_in,
    gives_probabilities,
    refuse_layer_options,
)
from lightning_tf.tasks.common.keras_cv_model import (
    is_from_keras_cv,
    keras_cv_classifier,
    rescales,
)
from lightning_tf.tasks.common.keras_hub_classifier import (
    PREFIX,
    image_converter_of,
    is_from_keras_hub,
    keras_hub_classifier,
)
from lightning_tf.tasks.networks.images import build as networks
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

# Options of a named network's layers, and their defaults.
LAYER_OPTIONS: Any = networks.build.__kwdefaults__


class Classifier:
    """A network that is still to be built to the shape and the classes of its data.

    Args:
        network: A name of `networks.images.build`; a Keras model with one output for each class,
            logits or, after a softmax, probabilities; ``"keras_hub:<preset>"``; or a backbone
            or ImageClassifier of keras-hub or KerasCV.
        **options: activation, initializer, batch_norm and dropout of a named network, as of
            `networks.images.build`.

    Raises:
        ConfigurationError: A name is unknown, a rate is out of range, or a network that brings its
            own layers gets one of the other options.

    Example:
        >>> Classifier("resnet", dropout=0.1).network
        'resnet'
    """

    def __init__(self, network: Any, **options: Any) -> None:
        self.network, self.options = network, {**LAYER_OPTIONS, **options}
        if isinstance(network, str) and not network.startswith(PREFIX):
            known = [*networks.NETWORKS, f"{PREFIX}<preset>"]
            check_known(f"network {network!r} is unknown", network, known)
            # Made and dropped: it checks names and the rate before any data are read.
            activation, initializer = self.options["activation"], self.options["initializer"]
            LayerFactory(activation, initializer, dropout=self.options["dropout"] or 0.0)
            return

        if not isinstance(network, (str, keras.Model)):
            raise ConfigurationError(
                f"network is a {type(network).__name__}; give a name, a keras.Model or a keras-hub "
                f"backbone.{nearest(network, networks.NETWORKS)}"
            )
        refuse_layer_options(self.options, LAYER_OPTIONS)

    def build(self, spec: ImageSpec) -> BuiltImageClassifier:
        """Make the model and run it once on a grey image, which shows what it gives.

        Raises:
            ConfigurationError: The model takes other images or does not give one number for each
                class.
        """
        if isinstance(self.network, str) and not self.network.startswith(PREFIX):
            model = networks.build(self.network, spec.input_shape, spec.num_classes, **self.options)
            return BuiltImageClassifier(model)

        model, image_converter = self.network, None
        if isinstance(self.network, str) or is_from_keras_hub(self.network):
            model = keras_hub_classifier(self.network, spec.num_classes)
            image_converter = image_converter_of(model)
        elif is_from_keras_cv(self.network):
            model = keras_cv_classifier(self.network, spec.num_classes)
            image_converter = keras.layers.Identity() if rescales(self.network) else None
        # A sigmoid for each of several classes was always taken for logits; of labels it is right.
        sigmoid = spec.objective != CLASSIFICATION and ends_in(model, "sigmoid")
        probabilities = gives_probabilities(model)
        built = BuiltImageClassifier(model, probabilities, sigmoid, image_converter=image_converter)
        _try(built, spec)
        return built


@dataclass(frozen=True)
class BuiltImageClassifier(BuiltClassifier):
    """A model of float32 images in [0, 255], shape (batch, height, width, channels).

    Attributes:
        image_converter: Makes the model's input from images in [0, 255], as the preset was
            trained; None where the model takes [-1, 1].
    """

    image_converter: keras.Layer | None = None

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Return what the model takes, from float32 images in [0, 255]."""
        if self.image_converter is not None:
            return self.image_converter(images)
        return images / 127.5 - 1.0


def _try(built: BuiltImageClassifier, spec: ImageSpec) -> None:
    gray = tf.fill([1, *spec.input_shape], 127.5)
    try:
        outputs = built.model(built.inputs(gray), training=False)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        raise ConfigurationError(
            f"network {built.model.name!r} cannot take the data's images of shape "
            f"{spec.input_shape}: {error}"
        ) from error

    shape = getattr(outputs, "shape", None)
    if shape is None or tuple(shape) != (1, spec.num_classes):
        size = "" if shape is None else f" of shape {(None, *tuple(shape)[1:])}"
        raise ConfigurationError(
            f"network {built.model.name!r} gives {type(outputs).__name__}{size}; it must give one "
            f"logit for each of {spec.num_classes} classes, labels or numbers: "
            f"(None, {spec.num_classes})."
        )
