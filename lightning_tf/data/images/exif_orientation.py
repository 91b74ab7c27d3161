"""exif_orientation: how a viewer turns an encoded image, read inside a graph."""

from typing import Any

import tensorflow as tf

LOOKED_AT = 1 << 18
"""Bytes of a file in which the note is looked for; cameras write it at the beginning."""
TAG, LONG = 0x0112, 4
LARGEST_ENTRIES = 512


def exif_orientation(content: Any) -> tf.Tensor:
    """Return the EXIF orientation of a JPEG, PNG or WebP file, as an exported model needs it.

    `ImageHeader` reads the same with pillow, outside of a graph.

    Args:
        content: The encoded image, a scalar string.

    Returns:
        int32 scalar, 1 to 8; 1 where the file has none.

    Example:
        >>> int(exif_orientation(tf.io.encode_jpeg(tf.zeros([4, 6, 3], tf.uint8))))
        1
    """
    beginning = tf.strings.substr(content, 0, 4)
    is_png, is_webp = tf.equal(beginning, b"\x89PNG"), tf.equal(beginning, b"RIFF")
    # WebP has the note behind its pixels.
    length = tf.where(is_webp, tf.strings.length(content), LOOKED_AT)
    start = tf.strings.substr(content, 0, length)
    stored = _Bytes(tf.cast(tf.io.decode_raw(start, tf.uint8), tf.int64))
    place = tf.case(
        [(is_png, lambda: _place_in_png(stored)), (is_webp, lambda: _place_in_webp(stored))],
        lambda: _place_in_jpeg(stored),
    )
    found = tf.cond(place > 0, lambda: _orientation_at(stored, place), lambda: _integer(1))
    is_known = tf.logical_and(found >= 1, found <= 8)
    return tf.cast(tf.where(is_known, found, 1), tf.int32)


class _Bytes:
    """Bytes as int64 (bytes,); what lies behind the end is 0."""

    def __init__(self, values: tf.Tensor) -> None:
        self.values = tf.concat([values, [0]], axis=0)
        self.count = tf.size(values, tf.int64)

    def number(self, place: Any, length: int, little: Any = False) -> tf.Tensor:
        """Return unsigned integers of some bytes, of the shape of `place`."""
        places = tf.expand_dims(place, -1) + tf.range(length, dtype=tf.int64)
        digits = tf.gather(self.values, tf.clip_by_value(places, 0, self.count))  # (..., length)
        powers = tf.constant([256**k for k in range(length)], tf.int64)
        return tf.reduce_sum(digits * tf.where(little, powers, powers[::-1]), axis=-1)


def _place_in_jpeg(stored: _Bytes) -> tf.Tensor:
    """Return where the TIFF header begins, 0 without one."""
    exif = int.from_bytes(b"Exif\0\0", "big")

    def is_note(place: tf.Tensor) -> tf.Tensor:
        is_segment = tf.equal(stored.number(place, 2), 0xFFE1)
        return tf.logical_and(is_segment, tf.equal(stored.number(place + 4, 6), exif))

    def goes_on(place: tf.Tensor) -> tf.Tensor:
        marker = stored.number(place, 2)
        # Behind 0xFFDA come the pixels; what does not begin with 0xFF is no segment.
        is_other = tf.logical_or(marker < 0xFF00, tf.equal(marker, 0xFFDA))
        return tf.logical_not(tf.logical_or(is_other, is_note(place)))

    def following(place: tf.Tensor) -> tuple[tf.Tensor]:
        return (place + 2 + stored.number(place + 2, 2),)

    (place,) = tf.while_loop(goes_on, following, (_integer(2),))
    return tf.where(is_note(place), place + 10, 0)


def _place_in_png(stored: _Bytes) -> tf.Tensor:
    """Return where the TIFF header begins, 0 without one before the pixels."""
    exif, pixels = (int.from_bytes(name, "big") for name in (b"eXIf", b"IDAT"))

    def goes_on(place: tf.Tensor) -> tf.Tensor:
        kind = stored.number(place + 4, 4)
        is_last = tf.logical_or(tf.equal(kind, exif), tf.equal(kind, pixels))
        return tf.logical_and(place < stored.count, tf.logical_not(is_last))

    def following(place: tf.Tensor) -> tuple[tf.Tensor]:
        return (place + 12 + stored.number(place, 4),)

    (place,) = tf.while_loop(goes_on, following, (_integer(8),))
    return tf.where(tf.equal(stored.number(place + 4, 4), exif), place + 8, 0)


def _place_in_webp(stored: _Bytes) -> tf.Tensor:
    """Return where the TIFF header begins, 0 without one."""
    note = int.from_bytes(b"EXIF", "big")

    def goes_on(place: tf.Tensor) -> tf.Tensor:
        is_note = tf.equal(stored.number(place, 4), note)
        return tf.logical_and(place < stored.count, tf.logical_not(is_note))

    def following(place: tf.Tensor) -> tuple[tf.Tensor]:
        size = stored.number(place + 4, 4, True)
        return (place + 8 + size + size % 2,)

    (place,) = tf.while_loop(goes_on, following, (_integer(12),))
    # Some programs put the name of JPEG's segment before the header.
    named = tf.equal(stored.number(place + 8, 4), int.from_bytes(b"Exif", "big"))
    return tf.where(place < stored.count, place + tf.where(named, _integer(14), 8), 0)


def _orientation_at(stored: _Bytes, header: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the first directory behind a TIFF header, 0 without one."""
    little = tf.equal(stored.number(header, 2), 0x4949)
    directory = header + stored.number(header + 4, 4, little)
    count = tf.minimum(stored.number(directory, 2, little), LARGEST_ENTRIES)

    entries = directory + 2 + 12 * tf.range(count)  # (entries,)
    short, long = (stored.number(entries + 8, length, little) for length in (2, 4))
    values = tf.where(tf.equal(stored.number(entries + 2, 2, little), LONG), long, short)
    is_it = tf.equal(stored.number(entries, 2, little), TAG)
    return tf.reduce_max(tf.where(is_it, values, 0), axis=0)


def _integer(value: int) -> tf.Tensor:
    return tf.constant(value, tf.int64)
