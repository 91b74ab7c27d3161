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
        return _on_white(_with_alpha(content))

    def from_other() -> tf.Tensor:
        image = tf.io.decode_image(content, 3, expand_animations=False)
        return tf.ensure_shape(image, (None, None, 3))

    is_png = tf.equal(tf.strings.substr(content, 0, 4), b"\x89PNG")
    pixels = tf.cond(is_png, from_png, from_other)
    return turn_pixels(pixels, exif_orientation(content))


def _with_alpha(content: tf.Tensor) -> tf.Tensor:
    """Return colors and alpha of a PNG file, int32 (height, width, 4)."""
    values = tf.cast(tf.io.decode_png(content, channels=4), tf.int32)
    depth = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 24, 1), tf.uint8)[0], tf.int32)

    # What TensorFlow puts for opaque where the file has no alpha: 1 and not 255 for a depth of 1.
    opaque = tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1
    alpha = tf.where(tf.equal(values[..., 3:], opaque), 255, values[..., 3:])
    return tf.concat([values[..., :3], alpha], axis=-1)


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Return colors (height, width, 3) of colors and alpha (height, width, 4), on white."""
    colors, alpha = image[..., :3], image[..., 3:]
    # A division by 255 that rounds as pillow's alpha_composite does.
    total = (colors * alpha + 255 * (255 - alpha)) * 128 + 128 * 128
    return tf.cast((total // 256 + total) // 256 // 128, tf.uint8)
