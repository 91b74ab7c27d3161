"""A plain convolutional network."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

FILTERS = (32, 64, 128)
UNITS = 128


def convnet(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Alternate one 3x3 convolution and one pooling three times; one hidden dense layer.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
    Neural Networks", 2012, https://doi.org/10.1145/3065386, shrunk to small images.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.halve(layers.entry(images, FILTERS[0]))
    for filters in FILTERS[1:]:
        x = layers.halve(layers.convolution(x, filters))
    x = layers.drop(layers.dense(keras.layers.Flatten()(x), UNITS))  # (batch, UNITS)
    return layers.logits(x, num_classes)
