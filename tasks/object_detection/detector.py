"""Detector: what a user names as backbone and head, made into a Keras model for given images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from lightning_tf.checks import check_known, checked_integer, is_integer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.tasks.object_detection.anchors import Anchors
from lightning_tf.tasks.object_detection.backbone_levels import DEEPEST, BackboneLevels
from lightning_tf.tasks.object_detection.feature_pyramid import (
    GROUPS,
    feature_pyramid,
    lateral_maps,
)
from lightning_tf.tasks.object_detection.heads import HEADS
from lightning_tf.tasks.transfer_learning.preprocessing import ImagePreprocessing

DEFAULT_LEVELS = (3, 4, 5, 6)
LOWEST, HIGHEST = 2, 7
# Of a backbone's moving statistics. With the 0.999 of MobileNetV2 a fit of some hundred updates
# would be evaluated with ImageNet's.
MOST_MOMENTUM = 0.9


class Detector:
    """Preprocessing, backbone, feature maps and head, as one Keras model.

    The head is float32 under every precision.

    Args:
        backbone: What the feature maps come from.
        head: ``retinanet``, with a feature pyramid, or ``ssd``, without.
        levels: Of the feature maps; level k has the stride 2^k. None is 3 to 6.
        width: Channels of the maps that the head sees, a multiple of 8.
        train_backbone: Whether the backbone's weights may train.
        fixed_layers: Names of layers, anywhere in the backbone, that never train.
        freeze_batch_norm: Whether the backbone's BatchNormalization layers keep their statistics
            and scales, also where the rest of it trains.

    Raises:
        ConfigurationError: A name is unknown or a number is out of range.

    Example:
        >>> detector = Detector(BackboneLevels("small"), "retinanet")
        >>> built = detector.build(anchors, channels=3, num_classes=2, class_loss="focal")
        >>> sorted(built.model.output_shape)
        ['boxes', 'classes']
    """

    def __init__(
        self,
        backbone: BackboneLevels,
        head: str = "retinanet",
        *,
        levels: Sequence[int] | None = None,
        width: int = 96,
        train_backbone: bool = True,
        fixed_layers: Sequence[str] = (),
        freeze_batch_norm: bool = False,
    ) -> None:
        check_known(f"head={head!r}", head, HEADS)
        if isinstance(fixed_layers, str):
            raise ConfigurationError(f"fixed_layers={fixed_layers!r}: give a list of names.")
        self.width = checked_integer("width", width, least=GROUPS)
        if self.width % GROUPS:
            raise ConfigurationError(f"width={width} must be a multiple of {GROUPS}.")
        self.backbone, self.head = backbone, head
        self.levels = _checked_levels(DEFAULT_LEVELS if levels is None else levels)
        self.train_backbone, self.fixed_layers = train_backbone, tuple(fixed_layers)
        self.freeze_batch_norm = freeze_batch_norm

    def check_size(self, image_size: Sequence[int]) -> None:
        """Refuse images whose levels would not be exact halves of each other.

        Raises:
            ConfigurationError: A side is no multiple of the backbone's largest stride; names the
                sides that work.
        """
        stride = 2 ** min(self.levels[-1], DEEPEST)
        for name, side in zip(("height", "width"), image_size, strict=True):
            if side % stride:
                near = [k for k in (side // stride * stride, -(-side // stride) * stride) if k]
                raise ConfigurationError(
                    f"image_size: {name} {side} is no multiple of {stride}, the largest stride of "
                    f"the backbone's feature maps; give {' or '.join(map(str, near))}."
                )

    def build(
        self,
        anchors: Anchors,
        *,
        channels: int,
        num_classes: int,
        class_loss: str,
        load: bool = True,
    ) -> BuiltDetector:
        """Make the model.

        Args:
            anchors: Of the images' size and these levels.
            channels: Of the images.
            num_classes: Without the background.
            class_loss: ``focal``, or ``softmax`` with one logit more for the background.
            load: False leaves the backbone's weights random; a checkpoint brings them afterwards.

        Raises:
            ConfigurationError: The backbone cannot be loaded, or lacks a level.
        """
        self.check_size(anchors.image_size)
        shape = (*anchors.image_size, channels)
        own = [level for level in self.levels if level <= DEEPEST]
        backbone = self.backbone.build(shape, own, load=load)
        self._freeze(backbone.model)

        images = keras.Input(shape, name="images")
        inputs = ImagePreprocessing(backbone.preprocess, backbone.channels)(images)
        maps = backbone.model(inputs)
        maps = list(maps) if isinstance(maps, (list, tuple)) else [maps]

        neck = feature_pyramid if self.head == "retinanet" else lateral_maps
        maps = neck(maps, self.levels, self.width)
        logits = num_classes + (class_loss == "softmax")
        raw = HEADS[self.head](maps, anchors.per_cell, logits, focal=class_loss == "focal")
        return BuiltDetector(keras.Model(images, raw, name="detector"), backbone.model)

    def _freeze(self, backbone: keras.Model) -> None:
        backbone.trainable = self.train_backbone
        known = {layer.name: layer for layer in flat_layers(backbone, include_self=False)}
        for name in self.fixed_layers:
            what = f"fixed_layers: backbone {backbone.name!r} has no layer {name!r}"
            check_known(what, name, known)
            known[name].trainable = False

        for layer in known.values():
            if isinstance(layer, keras.layers.BatchNormalization):
                if self.freeze_batch_norm:
                    layer.trainable = False
                layer.momentum = min(layer.momentum, MOST_MOMENTUM)
                # A detector's batches are small, and parts of them, on several replicas, smaller.
                layer.synchronized = True


@dataclass(frozen=True)
class BuiltDetector:
    """A model of images in [0, 255] that gives raw outputs, and the backbone in it.

    Attributes:
        model: Gives ``classes`` (batch, anchors, logits) and ``boxes`` (batch, anchors, 4).
        backbone: From preprocessed images to feature maps.
    """

    model: keras.Model
    backbone: keras.Model


def _checked_levels(given: Any) -> tuple[int, ...]:
    levels = tuple(given) if isinstance(given, Sequence) else ()
    within = all(is_integer(level) and LOWEST <= level <= HIGHEST for level in levels)
    following = [levels[0] + k for k in range(len(levels))] if levels and within else []
    if not following or list(levels) != following or levels[0] > DEEPEST:
        raise ConfigurationError(
            f"levels={given!r}: give levels that follow each other, of {LOWEST} to {HIGHEST}, such "
            f"as {DEFAULT_LEVELS}; level k has the stride 2^k and the first is at most {DEEPEST}."
        )
    return tuple(int(level) for level in levels)
