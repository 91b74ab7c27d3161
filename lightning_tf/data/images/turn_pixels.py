"""turn_pixels: stored pixels upright, as EXIF's orientation says, in NumPy and in a graph."""

from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
MIRRORED_ROWS, MIRRORED_COLUMNS = (3, 4, 7, 8), (2, 3, 6, 7)


def turn_array(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn stored pixels upright.

    Args:
        pixels: Shape (height, width, ...).
        orientation: EXIF's number, 1 to 8.
    """
    if orientation in TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in MIRRORED_COLUMNS:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in MIRRORED_ROWS else pixels


def turn_pixels(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn stored pixels upright, inside a graph.

    Args:
        image: Shape (height, width, channels).
        orientation: Integer scalar, 1 to 8.
    """

    def one_of(*numbers: int) -> tf.Tensor:
        return tf.reduce_any(tf.equal(orientation, numbers))

    def turned() -> tf.Tensor:
        pixels = tf.cond(one_of(*TURNED), lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        pixels = tf.cond(one_of(*MIRRORED_COLUMNS), lambda: pixels[:, ::-1], lambda: pixels)
        return tf.cond(one_of(*MIRRORED_ROWS), lambda: pixels[::-1], lambda: pixels)

    return tf.ensure_shape(
        tf.cond(tf.equal(orientation, 1), lambda: image, turned), (None, None, image.shape[-1])
    )
