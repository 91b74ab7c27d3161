"""PaddedCrop: shift a picture by a few pixels, by padding and cropping at random."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError

MODES = ("reflect", "zeros")


class PaddedCrop(keras.layers.Layer):  # type: ignore[misc]
    """Pad every side, then cut a random window of the original size out of each picture.

    Input and output: float pictures of shape (batch, height, width, channels), in any range. All
    pictures of a batch are cut in two gathers. Outside training it changes nothing.

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016, section
    4.2, https://arxiv.org/abs/1512.03385 (zeros, 4 pixels).

    Args:
        padding: Pixels added to each side, at least 1 and, with ``reflect``, less than the
            picture's shorter side.
        mode: ``reflect`` mirrors the picture at its border, ``zeros`` fills with 0.
        seed: Of the layer's seed generator; None draws one.
        **kwargs: As of `keras.layers.Layer`.

    Raises:
        ConfigurationError: `padding` is below 1 or too wide for the picture, or `mode` is unknown.

    Example:
        >>> PaddedCrop(padding=2)(keras.ops.ones((3, 8, 8, 1)), training=True).shape
        TensorShape([3, 8, 8, 1])
    """

    def __init__(
        self, padding: int = 4, mode: str = "reflect", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 1:
            raise ConfigurationError(f"crop: padding={padding!r} must be an integer of at least 1.")
        if mode not in MODES:
            raise ConfigurationError(f"crop: mode={mode!r} must be one of {', '.join(MODES)}.")
        self.padding = padding
        self.mode = mode
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that the padding fits the pictures."""
        shorter = min((side for side in input_shape[1:3] if side is not None), default=None)
        if self.mode == "reflect" and shorter is not None and self.padding >= shorter:
            raise ConfigurationError(
                f"crop: padding={self.padding} cannot be reflected from pictures of shape "
                f"{tuple(input_shape[1:])}; use at most {shorter - 1}."
            )
        self.built = True

    def call(self, pictures: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the cut pictures, or in evaluation the pictures as they are."""
        if not training:
            return pictures
        shape = tf.shape(pictures)
        border = [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]]
        padded = tf.pad(pictures, border, mode="REFLECT" if self.mode == "reflect" else "CONSTANT")
        corners = keras.random.randint(
            (shape[0], 2), 0, 2 * self.padding + 1, dtype="int32", seed=self.generator
        )
        rows = corners[:, :1] + tf.range(shape[1])  # (batch, height)
        columns = corners[:, 1:] + tf.range(shape[2])  # (batch, width)
        cut = tf.gather(
            tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1
        )
        return tf.ensure_shape(cut, pictures.shape)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        own = {"padding": self.padding, "mode": self.mode, "seed": self.seed}
        return {**super().get_config(), **own}
