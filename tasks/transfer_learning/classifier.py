"""TransferClassifier: a backbone and a new head, built for given images and classes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.checks import check_known, checked_fraction, checked_integer
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.tasks.common.built_classifier import BuiltClassifier
from lightning_tf.tasks.transfer_learning.backbone import Backbone, BuiltBackbone
from lightning_tf.tasks.transfer_learning.preprocessing import ImagePreprocessing

FEATURES_RANK = 2


class TransferClassifier:
    """Preprocessing, backbone, pooling and head, as one Keras model.

    Pooling and head are float32 under every precision. The head is a dropout and one linear layer,
    or with `hidden_units` a ReLU layer between them.

    Args:
        backbone: What the images' features come from.
        train_backbone: Whether the backbone's weights may train.
        fixed_layers: Names of layers, anywhere in the backbone, that never train.
        hidden_units: Of a layer between the features and the classes; None for none.
        dropout: Rate before each linear layer of the head.

    Raises:
        ConfigurationError: A number is out of range.

    Example:
        >>> TransferClassifier(Backbone("MobileNetV2")).build(spec).model.output_shape
        (None, 5)
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        train_backbone: bool = False,
        fixed_layers: Sequence[str] = (),
        hidden_units: int | None = None,
        dropout: float = 0.2,
    ) -> None:
        if hidden_units is not None:
            hidden_units = checked_integer("hidden_units", hidden_units, least=1)
        if isinstance(fixed_layers, str):
            raise ConfigurationError(f"fixed_layers={fixed_layers!r}: give a list of names.")
        self.backbone, self.train_backbone = backbone, train_backbone
        self.fixed_layers = tuple(fixed_layers)
        self.hidden_units, self.dropout = hidden_units, checked_fraction("dropout", dropout)

    def build(self, spec: ImageSpec) -> BuiltTransfer:
        """Make the model.

        Raises:
            ConfigurationError: The backbone cannot be loaded, or does not fit the images.
        """
        backbone = self.backbone.build(spec)
        self._freeze(backbone.layer)

        images = keras.Input(spec.input_shape, name="images")
        maps = self._maps(backbone, images, spec)  # (batch, height, width, channels)
        features = maps
        if len(maps.shape) != FEATURES_RANK:
            # Without the axes a GPU's gradient would wait; see `reduce_mean`.
            pool = keras.layers.GlobalAveragePooling2D(
                keepdims=True, dtype="float32", name="pooling"
            )
            features = keras.layers.Flatten(dtype="float32")(pool(maps))  # (batch, channels)

        head = self._head(int(features.shape[-1]), spec.num_classes)
        return BuiltTransfer(
            keras.Model(images, head(features), name="transfer"),
            backbone=backbone.layer,
            extractor=keras.Model(images, features),
            head=head,
            to_maps=None if maps is features else keras.Model(images, maps),
        )

    def _maps(self, backbone: BuiltBackbone, images: Any, spec: ImageSpec) -> Any:
        inputs = ImagePreprocessing(backbone.preprocess, backbone.channels)(images)
        name = backbone.layer.name
        try:
            maps = backbone.layer(inputs)
        except Exception as error:  # a layer's own words: TypeError, ValueError, tf.errors, ...
            raise ConfigurationError(
                f"backbone {name!r} cannot take the data's images of shape {spec.input_shape} "
                f"({type(error).__name__}: {error}); pass another image_size=."
            ) from error

        shape = tuple(getattr(maps, "shape", ()))
        if len(shape) not in (FEATURES_RANK, 4) or None in shape[-1:] or 0 in shape[1:]:
            raise ConfigurationError(
                f"backbone {name!r} makes {type(maps).__name__} of shape {shape} of images of "
                f"shape {spec.input_shape}; it must give feature maps (batch, height, width, "
                "channels) or vectors (batch, features). Pass larger images with image_size=, or "
                "a model that ends earlier."
            )
        return maps

    def _head(self, features: int, num_classes: int) -> keras.Model:
        # float32 also under mixed precision: the logits decide, and the head costs little.
        layers: list[Any] = [keras.Input((features,), name="features")]
        if self.hidden_units is not None:
            layers.append(keras.layers.Dropout(self.dropout, dtype="float32"))
            layers.append(keras.layers.Dense(self.hidden_units, activation="relu", dtype="float32"))
        layers.append(keras.layers.Dropout(self.dropout, dtype="float32"))
        layers.append(keras.layers.Dense(num_classes, dtype="float32", name="logits"))
        return keras.Sequential(layers, name="head")

    def _freeze(self, backbone: keras.Layer) -> None:
        backbone.trainable = self.train_backbone
        # Layers at any depth: a backbone may hold models.
        known = {layer.name: layer for layer in flat_layers(backbone, include_self=False)}
        for name in self.fixed_layers:
            what = f"fixed_layers: backbone {backbone.name!r} has no layer {name!r}"
            check_known(what, name, known)
            known[name].trainable = False


@dataclass(frozen=True)
class BuiltTransfer(BuiltClassifier):
    """A model that takes images in [0, 255], which it preprocesses itself, and its parts.

    Attributes:
        backbone: From preprocessed images to features.
        extractor: From images to vectors of features.
        head: From vectors of features to logits.
        to_maps: From images to feature maps; None where the backbone gives vectors.
    """

    # Fields behind those of the base class, which have defaults, need one too.
    backbone: Any = None
    extractor: Any = None
    head: Any = None
    to_maps: Any = None

    def logits(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """Return float32 logits of images (batch, height, width, channels) or features of them."""
        model = self.head if images.shape.rank == FEATURES_RANK else self.model
        return tf.cast(model(images, training=training), tf.float32)

    def backbone_version(self) -> int:
        """Return a checksum of the backbone's weights."""
        # Chained, weight after weight, so that no copy of all of them is made.
        version = 0
        for weight in self.backbone.weights:
            version = zlib.crc32(weight.numpy().tobytes(), version)
        return version
