"""VGG."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory

# Filters of each stage's convolutions; the first stage has one, as in the paper's configuration A.
STAGES = ((32,), (64, 64), (128, 128))
UNITS = 128


def vgg(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Stack stages of 3x3 convolutions and a pooling; one hidden dense layer.

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
    Recognition", 2014, https://arxiv.org/abs/1409.1556, shrunk to small images.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.entry(images, STAGES[0][0])
    for stage, filters in enumerate(STAGES):
        # The entry is the first convolution of the first stage.
        for each in filters[1:] if stage == 0 else filters:
            x = layers.convolution(x, each)
        x = layers.halve(x)

    x = layers.drop(layers.dense(keras.layers.Flatten()(x), UNITS))  # (batch, UNITS)
    return layers.logits(x, num_classes)
