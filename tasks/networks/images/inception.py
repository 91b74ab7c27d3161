"""Inception."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

ENTRY_FILTERS = 32
# Filters of the four branches of each module: 1x1, 3x3 after 1x1, 5x5 after 1x1, 1x1 after pooling.
STAGES: tuple[tuple[tuple[int, int, int, int], ...], ...] = (
    ((16, 32, 8, 8),),
    ((32, 64, 16, 16), (32, 64, 16, 16)),
    ((64, 128, 32, 32),),
)
SMALLEST_SIDE = 4


def inception(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Stack modules of four parallel branches: 1x1, 3x3, 5x5 and pooling, joined by channels.

    The 5x5 convolution is two of 3x3 (Inception v2).

    Source: Szegedy et al., "Going Deeper with Convolutions", 2014,
    https://arxiv.org/abs/1409.4842; the factorized 5x5 from "Rethinking the Inception Architecture
    for Computer Vision", 2015, https://arxiv.org/abs/1512.00567. Shrunk to small images.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.entry(images, ENTRY_FILTERS)
    for modules in STAGES:
        x = layers.halve(x, down_to=SMALLEST_SIDE)
        for filters in modules:
            x = _module(x, filters, layers)

    x = layers.drop(layers.pool(x))  # (batch, channels)
    return layers.logits(x, num_classes)


def _module(x: Any, filters: tuple[int, int, int, int], layers: LayerFactory) -> Any:
    """Apply four branches to one input and concatenate their channels."""
    direct, three, five, pooled = filters
    branches = [
        layers.convolution(x, direct, 1),
        layers.convolution(layers.convolution(x, three // 2, 1), three),
        layers.convolution(layers.convolution(layers.convolution(x, five, 1), five), five),
        layers.convolution(keras.layers.AveragePooling2D(3, 1, padding="same")(x), pooled, 1),
    ]
    return keras.layers.Concatenate()(branches)  # (batch, side, side, sum of filters)
