"""A generator and a discriminator of dense layers."""

import math
from typing import Any

import keras

from lightning_tf.layers import SpectralDense
from lightning_tf.tasks.gan.dcgan import SLOPE, add_logit


def mlp_generator(latent: Any, shape: tuple[int, ...], units: int) -> Any:
    """Pass latent vectors through two hidden layers.

    Source: Goodfellow et al., "Generative Adversarial Networks", 2014,
    https://arxiv.org/abs/1406.2661, section 5, with LeakyReLU.

    Args:
        latent: Float of shape (batch, numbers).
        shape: Of an image.
        units: Of the first hidden layer; twice as many in the second.

    Returns:
        Float32 of shape (batch, *shape) in (-1, 1).
    """
    x = latent
    for width in (units, 2 * units):
        x = keras.layers.LeakyReLU(SLOPE)(keras.layers.Dense(width)(x))
    x = keras.layers.Dense(math.prod(shape), activation="tanh", dtype="float32")(x)
    return keras.layers.Reshape(shape, dtype="float32")(x)


def mlp_discriminator(images: Any, units: int, dropout: float, spectral: bool) -> Any:
    """Pass flattened images through two hidden layers.

    Source: Goodfellow et al. 2014, with LeakyReLU for maxout.

    Args:
        images: Float of shape (batch, ...).
        units: Of the second hidden layer; twice as many in the first.
        dropout: After every layer.
        spectral: Whether every layer is normalised, see `SpectralDense`.

    Returns:
        Float32 of shape (batch, 1).
    """
    dense = SpectralDense if spectral else keras.layers.Dense
    x = keras.layers.Flatten()(images)
    for width in (2 * units, units):
        x = keras.layers.LeakyReLU(SLOPE)(dense(width)(x))
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    return add_logit(x, spectral)
