"""ResNet."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

ENTRY_FILTERS = 32
FILTERS = (48, 96, 192)
SMALLEST_SIDE = 4


def resnet(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Stack residual blocks of two 3x3 convolutions, one a stage, on a pooled entry.

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015,
    https://arxiv.org/abs/1512.03385, with fewer and wider blocks for small images.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.halve(layers.entry(images, ENTRY_FILTERS), down_to=SMALLEST_SIDE)
    for stage, filters in enumerate(FILTERS):
        # The first stage keeps its side, and no stage goes below SMALLEST_SIDE.
        shrinks = stage > 0 and min(x.shape[1:3]) >= 2 * SMALLEST_SIDE
        x = _block(x, filters, 2 if shrinks else 1, layers)  # (batch, side, side, filters)

    x = layers.drop(layers.pool(x))  # (batch, channels)
    return layers.logits(x, num_classes)


def _block(x: Any, filters: int, strides: int, layers: LayerFactory) -> Any:
    """Add two convolutions to the input, or to a projection of it where the shapes differ."""
    branch = layers.convolution(x, filters, strides=strides)
    branch = layers.convolution(branch, filters, activate=False)
    if strides > 1 or x.shape[-1] != filters:
        x = layers.convolution(x, filters, 1, strides=strides, activate=False)
    return layers.activate(keras.layers.Add()([x, branch]))
