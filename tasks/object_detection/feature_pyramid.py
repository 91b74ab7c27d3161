"""Feature maps of one width on every level: FPN, and SSD's maps without a way back."""

from collections.abc import Sequence
from typing import Any

import keras

from lightning_tf.layers.nearest_upsampling import NearestUpsampling

GROUPS = 8
# Keeps the variance. Keras' default counts the channels of a depthwise filter as its inputs: nine
# taps then give a fiftieth of the variance, layer after layer.
DEPTHWISE = {"class_name": "RandomNormal", "config": {"stddev": 1.0 / 3.0}}


def separable(width: int, name: str, **options: Any) -> keras.layers.SeparableConv2D:
    """Return a 3x3 separable convolution, padded."""
    return keras.layers.SeparableConv2D(
        width, 3, padding="same", depthwise_initializer=DEPTHWISE, name=name, **options
    )


def feature_pyramid(maps: Sequence[Any], levels: Sequence[int], width: int) -> list[Any]:
    """Return maps of `width` channels, what lower levels see enriched by what upper ones know.

    Source: Lin et al., "Feature Pyramid Networks for Object Detection", 2017,
    https://arxiv.org/abs/1612.03144; the filters are separable (Tan et al., "EfficientDet", 2020).

    Args:
        maps: Of the backbone, for the first of `levels`.
        levels: Wanted; those that the backbone does not have are made of the last map.
        width: Channels.
    """
    layers = keras.layers
    lateral = [
        layers.Conv2D(width, 1, name=f"lateral{level}")(map_)
        for map_, level in zip(maps, levels, strict=False)
    ]

    # From above: the map of twice the stride, doubled.
    for k in range(len(lateral) - 2, -1, -1):
        above = NearestUpsampling(name=f"up{levels[k + 1]}")(lateral[k + 1])
        lateral[k] = layers.Add(name=f"merge{levels[k]}")([lateral[k], above])

    outputs = [
        separable(width, f"smooth{level}")(map_)
        for map_, level in zip(lateral, levels, strict=False)
    ]
    return _with_extra_levels(outputs, levels, width)


def lateral_maps(maps: Sequence[Any], levels: Sequence[int], width: int) -> list[Any]:
    """Return maps of `width` channels for SSD, each level on its own.

    Args:
        maps: Of the backbone, for the first of `levels`.
        levels: Wanted; those that the backbone does not have are made of the last map.
        width: Channels.
    """
    outputs = [
        _normalized(keras.layers.Conv2D(width, 1, name=f"lateral{level}")(map_), f"lateral{level}")
        for map_, level in zip(maps, levels, strict=False)
    ]
    return _with_extra_levels(outputs, levels, width)


def _with_extra_levels(outputs: list[Any], levels: Sequence[int], width: int) -> list[Any]:
    for level in levels[len(outputs) :]:
        name = f"extra{level}"
        extra = separable(width, name, strides=2)(outputs[-1])
        outputs = [*outputs, _normalized(extra, name)]
    return outputs


def _normalized(maps: Any, name: str) -> Any:
    maps = keras.layers.GroupNormalization(GROUPS, name=f"{name}_norm")(maps)
    return keras.layers.Activation("silu", name=f"{name}_silu")(maps)
