"""The convolutional generator and discriminator of DCGAN, to small images."""

from typing import Any

import keras

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers import FusedBatchNormalization, SpectralConv2D, SpectralDense

SLOPE = 0.2  # of LeakyReLU below 0
SMALLEST_SIDE = 4  # of what the generator begins with
LARGEST_SIDE = 15


def dcgan_generator(latent: Any, shape: tuple[int, int, int], filters: int) -> Any:
    """Double a small map until it has the size of the image.

    Source: Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks", 2016, https://arxiv.org/abs/1511.06434.

    Args:
        latent: Float of shape (batch, numbers).
        shape: Height, width and channels of an image.
        filters: Of the last hidden map; twice as many in the map before, and so on.

    Returns:
        Float32 of shape (batch, height, width, channels) in (-1, 1).
    """
    doublings = _count_doublings(shape)
    height, width = (side >> doublings for side in shape[:2])
    hidden = filters << (doublings - 1)
    # Normalisation takes a bias away, so no layer below one has any.
    x = keras.layers.Dense(height * width * hidden, use_bias=False)(latent)
    x = _normalize(keras.layers.Reshape((height, width, hidden))(x))

    for _ in range(doublings - 1):  # the last doubling gives the image
        hidden //= 2
        x = keras.layers.Conv2DTranspose(hidden, 4, 2, padding="same", use_bias=False)(x)
        x = _normalize(x)
    return keras.layers.Conv2DTranspose(
        shape[-1], 4, 2, padding="same", activation="tanh", dtype="float32"
    )(x)


def dcgan_discriminator(images: Any, filters: int, dropout: float, spectral: bool) -> Any:
    """Halve the image by strided convolutions, as often as the generator doubles.

    Without the paper's batch normalisation: with it the discriminator tells real images from fake
    ones by their batch, and training on small data fails. Dropout or spectral normalisation holds
    it back instead.

    Source: Radford et al. 2016, see `dcgan_generator`.

    Args:
        images: Float of shape (batch, height, width, channels).
        filters: Of the first layer; twice as many in the next.
        dropout: After every layer.
        spectral: Whether every layer is normalised, see `SpectralConv2D`.

    Returns:
        Float32 of shape (batch, 1).
    """
    convolution = SpectralConv2D if spectral else keras.layers.Conv2D
    x = images
    for power in range(_count_doublings(tuple(images.shape[1:]))):
        x = convolution(filters << power, 4, strides=2, padding="same")(x)
        x = keras.layers.LeakyReLU(SLOPE)(x)
        x = keras.layers.Dropout(dropout)(x) if dropout else x
    return add_logit(keras.layers.Flatten()(x), spectral)  # (batch, 1)


def add_logit(x: Any, spectral: bool) -> Any:
    """Add the last layer: a float32 number for each image, also under mixed precision."""
    dense = SpectralDense if spectral else keras.layers.Dense
    return dense(1, dtype="float32")(x)


def _normalize(x: Any) -> Any:
    # The averages are of few updates where a fit is short.
    return keras.layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x))


def _count_doublings(shape: tuple[int, ...]) -> int:
    height, width = shape[:2]
    doublings = 0
    # As long as both sides are even and what is left is large enough to begin with.
    while (
        not (height >> doublings) % 2
        and not (width >> doublings) % 2
        and min(height, width) >> (doublings + 1) >= SMALLEST_SIDE
    ):
        doublings += 1

    if not doublings or max(height, width) >> doublings > LARGEST_SIDE:
        raise ConfigurationError(
            f"networks='dcgan' doubles a map of 4 to {LARGEST_SIDE} pixels up to the image's "
            f"size, which does not lead to {height} x {width}; pass image_size, such as 32 or 64, "
            "or networks='mlp'."
        )
    return doublings
