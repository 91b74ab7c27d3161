"""decode_upright: an encoded image to upright pixels, inside a graph."""

from typing import Any

import tensorflow as tf

from lightning_tf.data.boxes.detection_images import turn_pixels
from lightning_tf.data.boxes.exif_orientation import exif_orientation


def decode_upright(content: Any) -> tf.Tensor:
    """Return the pixels of a JPEG, PNG, BMP or GIF file as the data of a detector have them.

    EXIF's orientation is obeyed, what is transparent lies on white, and of 16 bits the upper eight
    are kept, all of it by TensorFlow's operations, so that an exported model can do it.

    Args:
        content: The encoded image, a scalar string.

    Returns:
        uint8 of shape (height, width, 3).

    Example:
        >>> file = tf.io.encode_png(tf.fill([4, 6, 3], tf.constant(9, tf.uint8)))
        >>> int(decode_upright(file)[3, 5, 0])
        9
    """

    def from_png() -> tf.Tensor:
        return _on_white(tf.io.decode_png(content, channels=4))

    def from_other() -> tf.Tensor:
        image = tf.io.decode_image(content, 3, expand_animations=False)
        return tf.ensure_shape(image, (None, None, 3))

    is_png = tf.equal(tf.strings.substr(content, 0, 4), b"\x89PNG")
    pixels = tf.cond(is_png, from_png, from_other)
    return turn_pixels(pixels, exif_orientation(content))


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Return colors (height, width, 3) of colors and alpha (height, width, 4), on white."""
    values = tf.cast(image, tf.int32)
    colors, alpha = values[..., :3], values[..., 3:]
    # A division by 255 that rounds as pillow's alpha_composite does.
    total = (colors * alpha + 255 * (255 - alpha)) * 128 + 128 * 128
    return tf.cast((total // 256 + total) // 256 // 128, tf.uint8)
