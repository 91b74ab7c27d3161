"""style_network: an image in another style in one pass."""

from typing import Any

import keras

from lightning_tf.layers.nearest_upsampling import NearestUpsampling
from lightning_tf.layers.reflection_padding import ReflectionPadding

SMALLEST_SIDE = 16


def style_network(filters: int = 32, residual_blocks: int = 5) -> keras.Model:
    """Build a network that goes down by four, through residual blocks and up again.

    It takes images of any size from 16 x 16 pixels on.

    Instance normalization instead of batch normalization keeps the contrast of one image out of
    the next (Ulyanov et al., 2016, https://arxiv.org/abs/1607.08022). Nearest-neighbor upsampling
    before a convolution avoids the checkerboard of transposed convolutions (Odena et al., 2016,
    https://distill.pub/2016/deconv-checkerboard). Edges are reflected.

    Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
    2016, https://arxiv.org/abs/1603.08155, and its supplement for the layers.

    Args:
        filters: Of the first layer; the middle has four times as many.
        residual_blocks: In the middle.

    Returns:
        A model from float images in [0, 1], shape (batch, height, width, 3), to float32 of the
        same shape and range.

    Example:
        >>> style_network(8, 1)(keras.ops.ones((1, 30, 41, 3))).shape
        TensorShape([1, 30, 41, 3])
    """
    inputs = keras.Input((None, None, 3), name="images")
    x = _convolution(inputs * 2.0 - 1.0, filters, 9)
    x = _convolution(x, 2 * filters, 3, strides=2)
    x = _convolution(x, 4 * filters, 3, strides=2)  # (batch, height / 4, width / 4, 4 * filters)

    for _ in range(residual_blocks):
        inner = _convolution(x, 4 * filters, 3)
        x = x + _convolution(inner, 4 * filters, 3, activation=None)

    for width in (2 * filters, filters):
        x = NearestUpsampling()(x)
        x = _convolution(x, width, 3)

    x = ReflectionPadding(4)(x)
    x = keras.layers.Conv2D(3, 9)(x)
    # The output is float32 also under mixed precision.
    x = CropLike(dtype="float32")([x, inputs])
    outputs = keras.layers.Activation("sigmoid", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="style_network")


@keras.saving.register_keras_serializable("lightning_tf", name="CropLike")
class CropLike(keras.layers.Layer):  # type: ignore[misc]
    """Cuts the first image to height and width of the second.

    Sides that four does not divide come back up to three pixels longer.
    """

    def call(self, inputs: Any) -> Any:
        """Cut rows below and columns on the right."""
        images, other = inputs
        shape = keras.ops.shape(other)
        return images[:, : shape[1], : shape[2], :]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the first shape with height and width of the second."""
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)


def _convolution(
    x: Any, filters: int, size: int, strides: int = 1, activation: str | None = "relu"
) -> Any:
    x = ReflectionPadding(size // 2)(x)
    x = keras.layers.Conv2D(filters, size, strides=strides, use_bias=False)(
        x
    )  # normalization removes a bias
    x = keras.layers.GroupNormalization(groups=-1)(x)  # each channel of each image by itself
    return keras.layers.Activation(activation)(x) if activation else x
