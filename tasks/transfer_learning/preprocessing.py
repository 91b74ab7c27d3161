"""ImagePreprocessing: images in [0, 255] to what a backbone was trained with."""

from collections.abc import Callable
from typing import Any

import keras


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


def to_unit(images: Any) -> Any:
    """Scale [0, 255] to [0, 1], the convention of TensorFlow Hub."""
    return images / 255.0


def to_minus_one_to_one(images: Any) -> Any:
    """Scale [0, 255] to [-1, 1]."""
    return images / 127.5 - 1.0
