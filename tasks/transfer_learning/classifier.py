"""TransferClassifier: a backbone and a new head, built for given images and classes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.image_classification.classifier import BuiltClassifier
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
        >>> TransferClassifier(Backbone("MobileNetV2")).build(facts).model.output_shape
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
        if not 0.0 <= dropout < 1.0:
            raise ConfigurationError(f"dropout={dropout!r} must be in [0, 1).")
        if hidden_units is not None and (not isinstance(hidden_units, int) or hidden_units < 1):
            raise ConfigurationError(
                f"hidden_units={hidden_units!r}: give an integer of at least 1, or None."
            )
        if isinstance(fixed_layers, str):
            raise ConfigurationError(f"fixed_layers={fixed_layers!r}: give a list of names.")
        self.backbone, self.train_backbone = backbone, train_backbone
        self.fixed_layers = tuple(fixed_layers)
        self.hidden_units, self.dropout = hidden_units, dropout

    def build(self, facts: ImageSpec) -> BuiltTransfer:
        """Make the model.

        Raises:
            ConfigurationError: The backbone cannot be loaded, or does not fit the images.
        """
        backbone = self.backbone.build(facts)
        self._freeze(backbone.layer)
        images = keras.Input(facts.input_shape, name="images")
        maps = self._maps(backbone, images, facts)
        features = maps
        if len(maps.shape) != FEATURES_RANK:
            pool = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pooling")
            features = pool(maps)
        head = self._head(int(features.shape[-1]), facts.num_classes)
        return BuiltTransfer(
            keras.Model(images, head(features), name="transfer"),
            backbone=backbone.layer,
            extractor=keras.Model(images, features),
            head=head,
            to_maps=None if maps is features else keras.Model(images, maps),
        )

    def _maps(self, backbone: BuiltBackbone, images: Any, facts: ImageSpec) -> Any:
        inputs = ImagePreprocessing(backbone.preprocess, backbone.channels)(images)
        name = backbone.layer.name
        try:
            maps = backbone.layer(inputs)
        except Exception as error:  # a layer's own words: TypeError, ValueError, tf.errors, ...
            raise ConfigurationError(
                f"backbone {name!r} cannot take the data's images of shape {facts.input_shape} "
                f"({type(error).__name__}: {error}); pass another image_size=."
            ) from error
        shape = tuple(getattr(maps, "shape", ()))
        if len(shape) not in (FEATURES_RANK, 4) or None in shape[-1:] or 0 in shape[1:]:
            raise ConfigurationError(
                f"backbone {name!r} makes {type(maps).__name__} of shape {shape} of images of "
                f"shape {facts.input_shape}; it must give feature maps (batch, height, width, "
                "channels) or vectors (batch, features). Pass larger images with image_size=, or "
                "a model that ends earlier."
            )
        return maps

    def _head(self, features: int, num_classes: int) -> keras.Model:
        layers: list[Any] = [keras.Input((features,), name="features")]
        units = [] if self.hidden_units is None else [self.hidden_units]
        for count in units:
            layers.append(keras.layers.Dropout(self.dropout, dtype="float32"))
            layers.append(keras.layers.Dense(count, activation="relu", dtype="float32"))
        layers.append(keras.layers.Dropout(self.dropout, dtype="float32"))
        layers.append(keras.layers.Dense(num_classes, dtype="float32", name="logits"))
        return keras.Sequential(layers, name="head")

    def _freeze(self, backbone: keras.Layer) -> None:
        backbone.trainable = self.train_backbone
        known = {layer.name: layer for layer in backbone._flatten_layers(include_self=False)}
        for name in self.fixed_layers:
            if name not in known:
                raise ConfigurationError(
                    f"fixed_layers: backbone {backbone.name!r} has no layer {name!r}."
                    f"{nearest(name, known)}"
                )
            known[name].trainable = False


@dataclass(frozen=True)
class BuiltTransfer(BuiltClassifier):
    """A model that takes images in [0, 255], and its parts.

    Attributes:
        backbone: From preprocessed images to features.
        extractor: From images to vectors of features.
        head: From vectors of features to logits.
        to_maps: From images to feature maps; None where the backbone gives vectors.
    """

    # They need a default, as what the base class has before them does.
    backbone: Any = None
    extractor: Any = None
    head: Any = None
    to_maps: Any = None

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """The model preprocesses by itself."""
        return images

    def logits(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """Float32 logits of images (batch, height, width, channels) or features of them."""
        model = self.head if images.shape.rank == FEATURES_RANK else self.model
        return tf.cast(model(images, training=training), tf.float32)

    def backbone_version(self) -> int:
        """A checksum of the backbone's weights."""
        version = 0
        for weight in self.backbone.weights:
            version = zlib.crc32(weight.numpy().tobytes(), version)
        return version
