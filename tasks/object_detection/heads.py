"""Heads: feature maps to logits and box deltas of all anchors, in float32."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from lightning_tf.tasks.object_detection.feature_pyramid import DEPTHWISE, GROUPS, separable

PRIOR = 0.01  # the probability of an object that a focal loss starts from
DEPTH = 2  # convolutions before RetinaNet's outputs; the paper has 4, which learnt no more here


class DetectionOutputs(keras.layers.Layer):  # type: ignore[misc]
    """One level's convolution to `channels` numbers for each anchor, as (batch, anchors, channels).

    Args:
        per_cell: Anchors at each place.
        channels: Numbers for each anchor.
        prior: The sigmoid of the bias; None for a bias of 0.
        **kwargs: As of `keras.layers.Layer`.
    """

    def __init__(
        self, per_cell: int, channels: int, prior: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.per_cell, self.channels, self.prior = per_cell, channels, prior
        bias = 0.0 if prior is None else -math.log((1.0 - prior) / prior)
        self.convolution = keras.layers.SeparableConv2D(
            per_cell * channels,
            3,
            padding="same",
            depthwise_initializer=DEPTHWISE,
            pointwise_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(bias),
            dtype="float32",
            name="convolution",
        )

    def build(self, shape: Sequence[int | None]) -> None:
        """Make the filters."""
        self.convolution.build(shape)
        self.built = True

    def call(self, maps: Any) -> Any:
        """Return one row for each anchor: by row, column and size, as `Anchors.boxes`."""
        outputs = self.convolution(maps)  # (batch, rows, columns, per_cell * channels)
        rows, columns = outputs.shape[1:3]
        return keras.ops.reshape(outputs, (-1, rows * columns * self.per_cell, self.channels))

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        config = {"per_cell": self.per_cell, "channels": self.channels, "prior": self.prior}
        return {**super().get_config(), **config}


def retinanet_head(
    maps: Sequence[Any], per_cell: int, classes: int, *, focal: bool = True
) -> dict[str, Any]:
    """Return outputs of a head that all levels share, whose class bias begins at a small prior.

    Each branch is normalised by groups: one BatchNormalization has other statistics on each level,
    and its moving ones fit none. For SiLU see `small_backbone`.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, section 4.1,
    https://arxiv.org/abs/1708.02002.

    Args:
        maps: One a level, of equal channels.
        per_cell: Anchors at each place.
        classes: Logits for each anchor.
        focal: Whether the class bias begins at the prior of the focal loss.
    """
    width = int(maps[0].shape[-1])
    raw = {}
    for name, channels in (("classes", classes), ("boxes", 4)):
        prior = PRIOR if name == "classes" and focal else None
        outputs = DetectionOutputs(per_cell, channels, prior, name=f"{name}_outputs")
        # Layers that are called for each level: a nested model would lose the maps' static sizes.
        tower = [*_tower(width, name), outputs]
        raw[name] = _joined([_through(tower, map_) for map_ in maps], name)
    return raw


def ssd_head(
    maps: Sequence[Any], per_cell: int, classes: int, *, focal: bool = False
) -> dict[str, Any]:
    """Return outputs of a head that each level has for itself, by one separable convolution.

    Source: Liu et al., "SSD: Single Shot MultiBox Detector", 2016, https://arxiv.org/abs/1512.02325;
    separable as in Sandler et al., "MobileNetV2", 2018, section 6.2.

    Args:
        maps: One a level.
        per_cell: Anchors at each place.
        classes: Logits for each anchor.
        focal: Whether the class bias begins at the prior of the focal loss.
    """
    outputs: dict[str, list[Any]] = {"classes": [], "boxes": []}
    for k, map_ in enumerate(maps):
        for name, channels in (("classes", classes), ("boxes", 4)):
            prior = PRIOR if name == "classes" and focal else None
            layer = DetectionOutputs(per_cell, channels, prior, name=f"{name}_{k}")
            outputs[name].append(layer(map_))
    return {name: _joined(parts, name) for name, parts in outputs.items()}


def _tower(width: int, name: str) -> list[Any]:
    tower: list[Any] = []
    for k in range(DEPTH):
        convolution = separable(width, f"{name}_convolution{k}", use_bias=False, dtype="float32")
        norm = keras.layers.GroupNormalization(GROUPS, dtype="float32", name=f"{name}_norm{k}")
        silu = keras.layers.Activation("silu", dtype="float32", name=f"{name}_silu{k}")
        tower += [convolution, norm, silu]
    return tower


def _through(layers: Sequence[Any], maps: Any) -> Any:
    for layer in layers:
        maps = layer(maps)
    return maps


def _joined(parts: list[Any], name: str) -> Any:
    if len(parts) == 1:
        return keras.layers.Activation("linear", dtype="float32", name=name)(parts[0])
    return keras.layers.Concatenate(axis=1, dtype="float32", name=name)(parts)


HEADS: dict[str, Callable[..., dict[str, Any]]] = {"retinanet": retinanet_head, "ssd": ssd_head}
