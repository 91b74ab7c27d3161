"""Backbone: what a user names as `backbone`, made into a Keras layer for given images."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import HubLayer, refuse_precision, saved_model_handle
from lightning_tf.tasks.common.keras_cv_model import rescales
from lightning_tf.tasks.common.keras_hub_classifier import PREFIX, is_from_keras_hub
from lightning_tf.tasks.transfer_learning import keras_applications, keras_hub_backbone
from lightning_tf.tasks.transfer_learning.preprocessing import to_minus_one_to_one, to_unit

PREPROCESSING: dict[str, Callable[[Any], Any]] = {
    "[-1, 1]": to_minus_one_to_one,
    "[0, 1]": to_unit,
    "[0, 255]": lambda images: images,
}


@dataclass(frozen=True)
class BuiltBackbone:
    """A layer from preprocessed images to features, and its preprocessing.

    Attributes:
        layer: Gives feature maps (batch, height, width, channels) or vectors (batch, features).
        preprocess: From images in [0, 255] to the layer's input.
        channels: What the layer takes.
    """

    layer: keras.Layer
    preprocess: Callable[[Any], Any]
    channels: int = 3


class Backbone:
    """A backbone that is still to be built to the shape of the images.

    Args:
        backbone: A name of keras.applications; ``"keras_hub:<preset or folder>"``; a URL of
            TensorFlow Hub, a folder with a SavedModel, or either after ``"hub:"``; a keras-hub
            backbone; a Keras model from images to features.
        weights: For a name of keras.applications: ``imagenet``, a local file, or None.
        preprocessing: ``[-1, 1]``, ``[0, 1]``, ``[0, 255]``, or a function of images in
            [0, 255]; None is the backbone's where it is known, [0, 1] for a SavedModel (the
            convention of TensorFlow Hub) and [-1, 1] for other models.

    Raises:
        ConfigurationError: A name is unknown or a file is missing.

    Example:
        >>> built = Backbone("MobileNetV2", weights=None).build(spec)
        >>> built.layer.name
        'mobilenetv2_1.00_160'
    """

    def __init__(self, backbone: Any, weights: Any = None, preprocessing: Any = None) -> None:
        self.backbone, self.weights, self.preprocessing = backbone, weights, preprocessing
        if isinstance(backbone, os.PathLike):
            self.backbone = os.fspath(backbone)
        if not isinstance(self.backbone, (str, keras.Model)):
            raise ConfigurationError(
                f"backbone is a {type(backbone).__name__}; give a name of keras.applications, "
                f"'{PREFIX}<preset>', a SavedModel's folder or URL, or a Keras model."
            )
        if isinstance(preprocessing, str) and preprocessing not in PREPROCESSING:
            raise ConfigurationError(
                f"preprocessing={preprocessing!r}: give {', '.join(PREPROCESSING)}, or a function."
            )

        self.is_application = isinstance(self.backbone, str) and not self._is_elsewhere()
        if self.is_application:
            keras_applications.find(self.backbone)
            keras_applications.check_weights(self.backbone, weights)
        elif weights not in (None, "imagenet"):
            raise ConfigurationError(
                f"weights={weights!r} is for names of keras.applications; backbone={backbone!r} "
                "brings its own weights."
            )

    def build(self, spec: ImageSpec) -> BuiltBackbone:
        """Make the layer, in the precision and placement of the run.

        Raises:
            ConfigurationError: It cannot be loaded, or takes other images.
        """
        if self.is_application:
            built = BuiltBackbone(
                *keras_applications.build(self.backbone, self.weights, spec.input_shape)
            )
        elif isinstance(self.backbone, str) and self.backbone.startswith(PREFIX):
            built = BuiltBackbone(*keras_hub_backbone.load(self.backbone.removeprefix(PREFIX)))
        elif isinstance(self.backbone, str):
            refuse_precision(self.backbone)
            layer = HubLayer(saved_model_handle(self.backbone) or "", name="backbone")
            built = BuiltBackbone(layer, to_unit)
        elif is_from_keras_hub(self.backbone):
            built = BuiltBackbone(*keras_hub_backbone.take(self.backbone))
        else:
            channels = keras_hub_backbone.channels_of(self.backbone)
            # Where KerasCV's own layer scales images, they come as they are.
            preprocess = (
                PREPROCESSING["[0, 255]"] if rescales(self.backbone) else to_minus_one_to_one
            )
            built = BuiltBackbone(self.backbone, preprocess, channels)

        if self.preprocessing is None:
            return built
        preprocess = PREPROCESSING.get(str(self.preprocessing), self.preprocessing)
        return BuiltBackbone(built.layer, preprocess, built.channels)

    def _is_elsewhere(self) -> bool:
        return self.backbone.startswith(PREFIX) or saved_model_handle(self.backbone) is not None
