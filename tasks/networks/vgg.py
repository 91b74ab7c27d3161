"""VGG."""

from __future__ import annotations

from typing import Any

import keras

from lightning_tf.tasks.networks.layer_factory import LayerFactory

FILTERS = (32, 64, 128)
UNITS = 128


def vgg(pictures: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Three stages of two 3x3 convolutions and a pooling; one hidden dense layer.

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", 2014, https://arxiv.org/abs/1409.1556, shrunk to small pictures.

    Args:
        pictures: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.entry(pictures, FILTERS[0])
    x = layers.halve(layers.convolution(x, FILTERS[0]))
    for filters in FILTERS[1:]:
        x = layers.convolution(x, filters)
        x = layers.halve(layers.convolution(x, filters))
    x = layers.drop(layers.dense(keras.layers.Flatten()(x), UNITS))
    return layers.logits(x, num_classes)
