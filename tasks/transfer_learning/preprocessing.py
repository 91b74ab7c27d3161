"""ImagePreprocessing: images in [0, 255] to what a backbone was trained with."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lightning_tf.exceptions import ConfigurationError


class ImagePreprocessing(keras.layers.Layer):  # type: ignore[misc]
    """The first layer of a transferred model, in float32 under every precision.

    Grey images get three equal channels where the backbone takes color.

    Args:
        function: From images in [0, 255] to the backbone's input.
        channels: What the backbone takes.

    Example:
        >>> scale = ImagePreprocessing(lambda images: images / 255.0)
        >>> float(keras.ops.max(scale(keras.ops.full([1, 2, 2, 1], 255.0))))
        1.0
    """

    def __init__(self, function: Callable[[Any], Any], channels: int = 3) -> None:
        super().__init__(dtype="float32", trainable=False, name="preprocessing")
        self.function, self.channels = function, channels

    def call(self, images: Any) -> Any:
        """Preprocess float32 images of shape (batch, height, width, channels)."""
        if images.shape[-1] == 1 and self.channels == 3:
            images = keras.ops.repeat(images, 3, axis=-1)
        return self.function(images)

    def keras_equivalent(self) -> keras.Layer:
        """Return layers of Keras that compute the same, for a file that Keras alone reads.

        A function that multiplies, adds and exchanges channels is a matrix of channels and an
        offset, which are found by trying it.

        Raises:
            ConfigurationError: The function does more, or mixes pixels.
        """
        _, height, width, channels = self._image_shape
        black, *colors = (
            np.full((1, height, width, channels), 0.0, "float32") for _ in range(channels + 1)
        )
        for channel, color in enumerate(colors):
            color[..., channel] = 255.0

        offset = _first_pixel(self(black))  # (channels of the backbone,)
        matrix = np.stack([(_first_pixel(self(color)) - offset) / 255.0 for color in colors])
        layer = _channel_layer(matrix, offset, channels)

        random = np.random.default_rng(0)
        tried = np.asarray(random.uniform(0.0, 255.0, size=black.shape), "float32")
        expected, got = np.asarray(self(tried)), np.asarray(layer(tried))
        if not np.allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()):
            raise ConfigurationError(
                f"format='keras': {self.function!r}, which prepares the images, is no scale and "
                "offset of channels, and a file for Keras alone cannot hold it; use "
                "format='saved_model'."
            )
        return layer

    def build(self, input_shape: Any) -> None:
        """Keep the shape of the images."""
        self._image_shape = input_shape


def _first_pixel(images: Any) -> Any:
    return np.asarray(images, "float64")[0, 0, 0]


def _channel_layer(matrix: Any, offset: Any, channels: int) -> keras.Layer:
    """Return a layer from pixels of some channels to ``pixels @ matrix + offset``."""
    if np.array_equal(matrix, np.diag(np.diag(matrix))):
        scale = np.diag(matrix)
        return keras.layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32")
    mixes = keras.layers.Dense(matrix.shape[1], dtype="float32", trainable=False)
    mixes.build((None, None, None, channels))
    mixes.set_weights([matrix, offset])
    return mixes


def to_unit(images: Any) -> Any:
    """Scale [0, 255] to [0, 1], the convention of TensorFlow Hub."""
    return images / 255.0


def to_minus_one_to_one(images: Any) -> Any:
    """Scale [0, 255] to [-1, 1]."""
    return images / 127.5 - 1.0
