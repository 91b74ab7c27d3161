"""MobileNet."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

ENTRY_FILTERS = 32
EXPANSION = 4
# Filters and blocks of each stage; the first block of each halves the side.
STAGES = ((24, 1), (48, 3), (96, 2))
LAST_FILTERS = 256
SMALLEST_SIDE = 4


def mobilenet(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Stack inverted residual blocks with depthwise convolutions (MobileNetV2).

    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications", 2017, https://arxiv.org/abs/1704.04861; the blocks from Sandler et al.,
    "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
    https://arxiv.org/abs/1801.04381. Shrunk to small images.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.halve(layers.entry(images, ENTRY_FILTERS), down_to=SMALLEST_SIDE)

    for stage, (filters, blocks) in enumerate(STAGES):
        for block in range(blocks):
            # The first stage keeps its side, and no stage goes below SMALLEST_SIDE.
            shrinks = stage > 0 and block == 0 and min(x.shape[1:3]) >= 2 * SMALLEST_SIDE
            x = _block(x, filters, 2 if shrinks else 1, layers)

    x = layers.convolution(x, LAST_FILTERS, 1)
    x = layers.drop(layers.pool(x))  # (batch, channels)
    return layers.logits(x, num_classes)


def _block(x: Any, filters: int, strides: int, layers: LayerFactory) -> Any:
    """Expand, convolve each channel, project; add the input where the shapes agree."""
    branch = layers.convolution(x, EXPANSION * x.shape[-1], 1)
    branch = layers.depthwise(branch, strides=strides)
    # Few channels: an activation would lose information (Sandler et al., section 3.2).
    branch = layers.convolution(branch, filters, 1, activate=False)
    if strides > 1 or x.shape[-1] != filters:
        return branch
    return keras.layers.Add()([x, branch])
