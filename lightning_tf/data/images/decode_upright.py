"""decode_upright: an encoded image to upright pixels by TensorFlow's operations alone."""

from typing import Any

import tensorflow as tf

from lightning_tf.data.images.decode_jpeg import decode_jpeg
from lightning_tf.data.images.exif_orientation import exif_orientation
from lightning_tf.data.images.image_decoding import gray_of
from lightning_tf.data.images.read_pixels import WHITE, Color, divide_by_255
from lightning_tf.data.images.stored_values import DEPTHS, ValueRange
from lightning_tf.data.images.turn_pixels import TURNED, turn_pixels


def decode_upright(
    content: Any,
    channels: int = 3,
    background: Color = WHITE,
    value_range: ValueRange | None = None,
    least_size: tuple[int, int] | None = None,
) -> tf.Tensor:
    """Return the pixels of a JPEG, PNG, BMP, GIF or WebP file, as `read_pixels` gives them.

    All of it in the graph, so that an exported model can do it.

    Args:
        content: The encoded image, a scalar string.
        channels: 1 for gray, 3 for color, 4 for color and transparency.
        background: The color below what is transparent.
        value_range: The values of files of 16 bits that become 0 and 255; None decides by the
            largest value of the image, see `stored_range`.
        least_size: Height and width that are enough of a JPEG file, see `decode_jpeg`.

    Returns:
        uint8 of shape (height, width, channels).

    Example:
        >>> file = tf.io.encode_png(tf.fill([4, 6, 3], tf.constant(9, tf.uint8)))
        >>> int(decode_upright(file)[3, 5, 0])
        9
    """

    def from_png() -> tf.Tensor:
        depth = _byte(content, 24)
        return tf.cond(
            tf.equal(depth, 16),
            lambda: _of_16_bits(content, value_range),
            lambda: _of_8_bits(content, depth),
        )

    def from_jpeg() -> tf.Tensor:
        return _opaque(decode_jpeg(content, least_size, orientation >= min(TURNED)))

    def from_bmp() -> tf.Tensor:
        # As many channels as are stored; a fourth one is no transparency, as in pillow.
        image = tf.io.decode_bmp(content)
        colors = tf.cond(
            tf.equal(tf.shape(image)[-1], 1),
            lambda: tf.gather(_bmp_palette(content), tf.cast(image[..., 0], tf.int32)),
            lambda: image[..., :3],
        )
        return _opaque(tf.ensure_shape(colors, (None, None, 3)))

    def from_webp() -> tf.Tensor:
        image = tf.io.decode_image(content, expand_animations=False)  # 3 channels or 4
        image = tf.ensure_shape(image, (None, None, None))
        has_alpha = tf.equal(tf.shape(image)[-1], 4)
        colors = tf.cond(
            has_alpha, lambda: tf.cast(image, tf.int32), lambda: _opaque(image[..., :3])
        )
        return tf.ensure_shape(colors, (None, None, 4))

    def from_other() -> tf.Tensor:
        image = tf.io.decode_image(content, 3, expand_animations=False)
        return _opaque(tf.ensure_shape(image, (None, None, 3)))

    orientation = exif_orientation(content)
    beginning = tf.strings.substr(content, 0, 4)
    image = tf.case(
        [
            (tf.equal(beginning, b"\x89PNG"), from_png),
            (tf.equal(tf.strings.substr(content, 0, 2), b"\xff\xd8"), from_jpeg),
            (tf.equal(tf.strings.substr(content, 0, 2), b"BM"), from_bmp),
            (tf.equal(beginning, b"RIFF"), from_webp),
        ],
        from_other,
    )  # (height, width, 4), int32

    image = turn_pixels(image, orientation)
    if channels == 4:
        return tf.cast(image, tf.uint8)
    colors, alpha = image[..., :3], image[..., 3:]
    total = colors * alpha + tf.constant(background) * (255 - alpha)
    colors = tf.cast(divide_by_255(total), tf.uint8)
    return gray_of(colors) if channels == 1 else colors


def _byte(content: tf.Tensor, place: int) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(tf.strings.substr(content, place, 1), tf.uint8)[0], tf.int32)


def _bmp_palette(content: tf.Tensor) -> tf.Tensor:
    """Return red, green and blue of each index of a BMP file: uint8 (colors, 3)."""
    header, pixels = (
        tf.reduce_sum([_byte(content, place + k) * 256**k for k in range(3)]) for place in (14, 10)
    )
    start = 14 + header
    table = tf.io.decode_raw(tf.strings.substr(content, start, pixels - start), tf.uint8)
    return tf.reshape(table[: tf.size(table) // 4 * 4], (-1, 4))[:, 2::-1]


def _opaque(colors: tf.Tensor) -> tf.Tensor:
    colors = tf.cast(colors, tf.int32)
    return tf.concat([colors, tf.fill(tf.shape(colors[..., :1]), 255)], axis=-1)


def _of_8_bits(content: tf.Tensor, depth: tf.Tensor) -> tf.Tensor:
    """Return colors and alpha of a PNG file, int32 (height, width, 4)."""
    values = tf.cast(tf.io.decode_png(content, channels=4), tf.int32)
    # What TensorFlow puts for opaque where the file has no alpha: 1 and not 255 for a depth of 1.
    opaque = tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1
    alpha = tf.where(tf.equal(values[..., 3:], opaque), 255, values[..., 3:])
    return tf.concat([values[..., :3], alpha], axis=-1)


def _of_16_bits(content: tf.Tensor, value_range: ValueRange | None) -> tf.Tensor:
    """Return the same of a PNG file of 16 bits a value, scaled as `scale_to_bytes` does."""
    values = tf.cast(tf.io.decode_png(content, channels=4, dtype=tf.uint16), tf.int32)
    if value_range is None:
        largest = tf.reduce_max(values[..., :3])
        ends = tf.constant([2**bits - 1 for bits in DEPTHS])
        low, high = 0, tf.reduce_min(tf.where(ends >= largest, ends, ends[-1]))
        span = high
    else:
        low = int(value_range[0])
        span = tf.constant(int(value_range[1]) - low)

    # 510 times 65535 fits into int32.
    colors = tf.clip_by_value((510 * (values[..., :3] - low) + span) // (2 * span), 0, 255)
    return tf.concat([colors, (510 * values[..., 3:] + 65535) // 131070], axis=-1)
