"""PicturePreprocessing: pictures in [0, 255] to what a backbone was trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


class PicturePreprocessing(keras.layers.Layer):  # type: ignore[misc]
    """The first layer of a transferred model, in float32 under every precision.

    Grey pictures get three equal channels where the backbone wants colour.

    Args:
        function: From pictures in [0, 255] to the backbone's input.
        channels: What the backbone takes.

    Example:
        >>> scale = PicturePreprocessing(lambda pictures: pictures / 255.0)
        >>> float(keras.ops.max(scale(keras.ops.full([1, 2, 2, 1], 255.0))))
        1.0
    """

    def __init__(self, function: Callable[[Any], Any], channels: int = 3) -> None:
        super().__init__(dtype="float32", trainable=False, name="preprocessing")
        self.function, self.channels = function, channels

    def call(self, pictures: Any) -> Any:
        """Preprocess float32 pictures of shape (batch, height, width, channels)."""
        if pictures.shape[-1] == 1 and self.channels == 3:
            pictures = keras.ops.repeat(pictures, 3, axis=-1)
        return self.function(pictures)


def to_unit(pictures: Any) -> Any:
    """[0, 255] to [0, 1], the convention of TensorFlow Hub."""
    return pictures / 255.0


def to_minus_one_to_one(pictures: Any) -> Any:
    """[0, 255] to [-1, 1]."""
    return pictures / 127.5 - 1.0


def unchanged(pictures: Any) -> Any:
    """[0, 255] as it is, for backbones that scale by themselves."""
    return pictures
