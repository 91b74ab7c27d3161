"""LeNet-5."""

from typing import Any

import keras

from lightning_tf.tasks.networks.images.layer_factory import LayerFactory, entry_strides

SIDE = 32


def lenet5(images: Any, num_classes: int, layers: LayerFactory) -> Any:
    """Stack two 5x5 convolutions with average pooling, then dense layers of 120 and 84.

    The paper's images are 32x32. Larger ones are averaged down to between 32 and 63 first, and
    smaller ones are padded with zeros where a convolution would shrink them: 28x28 as in the
    paper, and below 28 in both convolutions. The original's squashing function is
    ``activation="tanh"``.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
    Recognition", 1998, https://doi.org/10.1109/5.726791.

    Args:
        images: Float of shape (batch, height, width, channels).
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    side = min(images.shape[1:3])
    strides = entry_strides(images)
    x = keras.layers.AveragePooling2D(strides)(images) if strides > 1 else images

    # "same" where the image is smaller than the paper's, so that the maps do not shrink away.
    x = layers.convolution(x, 6, 5, padding="valid" if side >= SIDE else "same")
    x = keras.layers.AveragePooling2D(2)(x)
    x = layers.convolution(x, 16, 5, padding="valid" if side >= SIDE - 4 else "same")
    x = keras.layers.AveragePooling2D(2)(x)

    x = layers.drop(layers.dense(keras.layers.Flatten()(x), 120))
    x = layers.drop(layers.dense(x, 84))
    return layers.logits(x, num_classes)
