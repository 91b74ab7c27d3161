"""decode_jpeg: a JPEG file's pixels, in full or by its own scaling."""

from typing import Any

import tensorflow as tf

RATIOS = (1, 2, 4, 8)
"""By what a JPEG file can be made smaller while it is decoded."""


def decode_jpeg(
    content: Any, least_size: tuple[int, int] | None = None, is_turned: Any = False
) -> tf.Tensor:
    """Return the pixels of a JPEG or PNG file as they are stored, in colors.

    Args:
        content: The encoded image, a scalar string.
        least_size: Height and width of the upright image that are enough: a JPEG file of three
            colors or gray is made smaller by the largest of `RATIOS` which leaves both sides at
            least as long, as pillow's `draft` does. None decodes all pixels.
        is_turned: Whether upright height and width are the stored width and height.

    Returns:
        uint8 of shape (height, width, 3).

    Example:
        >>> file = tf.io.encode_jpeg(tf.zeros([50, 90, 3], tf.uint8))
        >>> decode_jpeg(file).shape.as_list(), decode_jpeg(file, (20, 20)).shape.as_list()
        ([50, 90, 3], [25, 45, 3])
    """

    def decode(ratio: int) -> tf.Tensor:
        # In colors also where gray is wanted: TensorFlow's gray differs by format. The accurate
        # transform is the one that pillow uses, and takes as long; PNG files pass through as well.
        image = tf.io.decode_jpeg(content, 3, ratio=ratio, dct_method="INTEGER_ACCURATE")
        return tf.ensure_shape(image, (None, None, 3))

    if least_size is None:
        return decode(1)

    def stored_size() -> tf.Tensor:
        shape = tf.io.extract_jpeg_shape(content)  # (3,): height, width, colors
        # Four colors are pillow's to decode, which is not asked for a smaller image.
        return tf.where(shape[2] == 4, 0, shape[:2])

    is_jpeg = tf.equal(tf.strings.substr(content, 0, 2), b"\xff\xd8")
    stored = tf.cond(is_jpeg, stored_size, lambda: tf.zeros([2], tf.int32))
    least = tf.where(is_turned, least_size[::-1], least_size)
    times = tf.reduce_min(stored // least)
    place = tf.reduce_sum(tf.cast(times >= RATIOS[1:], tf.int32))
    branches = [lambda ratio=ratio: decode(ratio) for ratio in RATIOS]
    return tf.switch_case(place, branches)
