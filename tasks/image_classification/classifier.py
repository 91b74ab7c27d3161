"""Classifier: what a user names as `network`, made into a Keras model for given images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.common.keras_hub_classifier import (
    PREFIX,
    image_converter_of,
    is_from_keras_hub,
    keras_hub_classifier,
)
from lightning_tf.tasks.networks.images import build as networks
from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

OWN_OPTIONS: Mapping[str, Any] = {
    "activation": "relu",
    "initializer": "he_normal",
    "batch_norm": None,
    "dropout": None,
}
SMALLEST_PROBABILITY = 1e-7  # as Keras clips probabilities


class Classifier:
    """A network that is still to be built to the shape and the classes of its data.

    Args:
        network: A name of `networks.images.build`; a Keras model with one output for each class,
            logits or, after a softmax, probabilities; ``"keras_hub:<preset>"``; or a keras-hub
            backbone or ImageClassifier.
        activation: Of the hidden layers, for a named network.
        initializer: Of the kernels, for a named network.
        batch_norm: Whether to normalise, for a named network.
        dropout: The rate, for a named network.

    Raises:
        ConfigurationError: A name is unknown, a rate is out of range, or a network that brings its
            own layers is given one of the other options.

    Example:
        >>> Classifier("resnet", dropout=0.1).network
        'resnet'
    """

    def __init__(
        self,
        network: Any,
        *,
        activation: str | Callable[[Any], Any] = "relu",
        initializer: str | keras.Initializer = "he_normal",
        batch_norm: bool | None = None,
        dropout: float | None = None,
    ) -> None:
        self.network = network
        self.options: dict[str, Any] = {
            "activation": activation,
            "initializer": initializer,
            "batch_norm": batch_norm,
            "dropout": dropout,
        }
        if isinstance(network, str) and not network.startswith(PREFIX):
            if network not in networks.NETWORKS:
                known = [*networks.NETWORKS, f"{PREFIX}<preset>"]
                raise ConfigurationError(
                    f"network {network!r} is unknown.{nearest(network, known)}"
                )
            LayerFactory(activation, initializer, dropout=dropout or 0.0)  # checks names and rate
            return
        if not isinstance(network, (str, keras.Model)):
            raise ConfigurationError(
                f"network is a {type(network).__name__}; give a name, a keras.Model or a keras-hub "
                f"backbone.{nearest(network, networks.NETWORKS)}"
            )
        for option, default in OWN_OPTIONS.items():
            if self.options[option] != default:
                raise ConfigurationError(
                    f"{option}={self.options[option]!r} is for the package's own networks; the "
                    "given network brings its own layers: set it there."
                )

    def build(self, facts: ImageSpec) -> BuiltClassifier:
        """Make the model and run it once on a grey image, which shows what it gives.

        Raises:
            ConfigurationError: The model takes other images or does not give one number for each
                class.
        """
        if isinstance(self.network, str) and not self.network.startswith(PREFIX):
            model = networks.build(
                self.network, facts.input_shape, facts.num_classes, **self.options
            )
            return BuiltClassifier(model)
        if isinstance(self.network, str) or is_from_keras_hub(self.network):
            model = keras_hub_classifier(self.network, facts.num_classes)
            built = BuiltClassifier(model, image_converter_of(model), gives_probabilities(model))
        else:
            built = BuiltClassifier(self.network, None, gives_probabilities(self.network))
        _try(built, facts)
        return built


@dataclass(frozen=True)
class BuiltClassifier:
    """A model and what goes in and out of it.

    Attributes:
        model: Takes float32 of shape (batch, height, width, channels), gives (batch, classes).
        image_converter: Makes the model's input from images in [0, 255], as the preset was
            trained; None where the model takes [-1, 1].
        probabilities: Whether the model ends in a softmax; otherwise it gives logits.
    """

    model: keras.Model
    image_converter: keras.Layer | None = None
    probabilities: bool = False

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """What the model takes, from float32 images in [0, 255]."""
        if self.image_converter is not None:
            return self.image_converter(images)
        return images / 127.5 - 1.0

    def logits(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """Float32 logits of float32 images in [0, 255].

        Probabilities become their logarithms, whose softmax is the same probabilities.
        """
        outputs = tf.cast(self.model(self.inputs(images), training=training), tf.float32)
        if self.probabilities:
            return tf.math.log(tf.maximum(outputs, SMALLEST_PROBABILITY))
        return outputs


def gives_probabilities(model: keras.Model) -> bool:
    """Whether a Sequential or Functional model ends in a softmax; False where nobody can tell."""
    outputs = model.outputs if getattr(model, "outputs", None) else []
    if isinstance(model, keras.Sequential) and model.layers:
        last: Any = model.layers[-1]
    elif len(outputs) == 1 and hasattr(outputs[0], "_keras_history"):
        last = outputs[0]._keras_history.operation
    else:
        return False
    if isinstance(last, keras.Model):
        return gives_probabilities(last)
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    return softmax or isinstance(last, keras.layers.Softmax)


def _try(built: BuiltClassifier, facts: ImageSpec) -> None:
    grey = tf.fill([1, *facts.input_shape], 127.5)
    try:
        outputs = built.model(built.inputs(grey), training=False)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        raise ConfigurationError(
            f"network {built.model.name!r} cannot take the data's images of shape "
            f"{facts.input_shape}: {error}"
        ) from error
    shape = getattr(outputs, "shape", None)
    if shape is None or tuple(shape) != (1, facts.num_classes):
        size = "" if shape is None else f" of shape {(None, *tuple(shape)[1:])}"
        raise ConfigurationError(
            f"network {built.model.name!r} gives {type(outputs).__name__}{size}; it must give one "
            f"logit for each of {facts.num_classes} classes: (None, {facts.num_classes})."
        )


def weights_count(model: keras.Model) -> int:
    """How many numbers a model's weights hold."""
    return sum(math.prod(weight.shape) for weight in model.weights)
