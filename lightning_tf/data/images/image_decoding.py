"""ImageDecoding: from an encoded image to pixels of one size."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.decode_jpeg import decode_jpeg
from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.read_pixels import LUMA, WHITE, Color, read_pixels
from lightning_tf.data.images.stored_values import ValueRange
from lightning_tf.data.images.turn_pixels import TURNED, turn_pixels
from lightning_tf.exceptions import DataError

ResizeMethod = Literal["antialias", "bilinear", "draft"]
ANTIALIAS, BILINEAR, DRAFT = RESIZE_METHODS = ("antialias", "bilinear", "draft")
SCALARS = [tf.TensorSpec([], tf.string)]


@dataclass(frozen=True)
class ImageDecoding:
    """How encoded images become uint8 pixels, all as `read_pixels` gives them.

    TensorFlow decodes what it decodes to the same bit, JPEG and most PNG files; pillow the rest.

    Attributes:
        image_size: Height and width to resize to, bilinear and antialiased; None keeps the size.
        channels: 1 for gray, 3 for color, 4 for color and transparency.
        crop_to_aspect_ratio: Cut the largest centered window of the wanted aspect ratio before
            resizing, instead of stretching the image.
        background: The color below what is transparent.
        value_range: See `read_pixels`.
        resize_method: ``antialias`` resizes bilinearly, over as many pixels as one of the result
            covers; ``bilinear`` looks at the nearest four alone; ``draft`` lets a JPEG file be
            decoded smaller, by its own scaling, before it is resized as by ``antialias``, and is
            the same as this for other formats and for pixels that are decoded already.

    Example:
        >>> white = tf.io.encode_png(tf.fill((8, 6, 3), tf.constant(255, tf.uint8)))
        >>> pixels = ImageDecoding((4, 4)).decode_and_resize(white)
        >>> [int(n) for n in pixels.shape], int(pixels[0, 0, 0])
        ([4, 4, 3], 255)
    """

    image_size: tuple[int, int] | None = None
    channels: int = 3
    crop_to_aspect_ratio: bool = False
    background: Color = WHITE
    value_range: ValueRange | None = None
    resize_method: str = ANTIALIAS

    @property
    def least_size(self) -> tuple[int, int] | None:
        """Height and width that are enough of a decoded file; None where all pixels are."""
        return self.image_size if self.resize_method == DRAFT else None

    def decode_plain(self, content: tf.Tensor, orientation: Any = None) -> tf.Tensor:
        """Return the pixels of an image whose header `is_plain`, as they are stored.

        Args:
            content: The encoded image, a scalar.
            orientation: How a viewer would turn them, see `decode`.

        Returns:
            uint8 of shape (height, width, channels).
        """
        is_turned = False if orientation is None else orientation >= min(TURNED)
        image = decode_jpeg(content, self.least_size, is_turned)
        if self.channels == 1:
            return gray_of(image)
        if self.channels == 4:
            return tf.concat([image, tf.fill(tf.shape(image[..., :1]), tf.uint8.max)], axis=-1)
        return image

    def decode_any(self, content: tf.Tensor) -> tf.Tensor:
        """Return the upright pixels of any image: looks at the header first.

        Returns:
            uint8 of shape (height, width, channels).
        """
        orientation, is_plain = tf.unstack(_look(content))
        return self.decode(content, tf.cast(is_plain, tf.bool), orientation)

    def decode(
        self, content: tf.Tensor, is_plain: Any = None, orientation: Any = None
    ) -> tf.Tensor:
        """Return the upright pixels of an image whose header is known.

        Args:
            content: The encoded image, a scalar.
            is_plain: Boolean scalar; None where all are.
            orientation: Integer scalar, 1 to 8; None where it is 1 for all. Pillow's pixels are
                upright already.

        Returns:
            uint8 of shape (height, width, channels).
        """

        def plain() -> tf.Tensor:
            image = self.decode_plain(content, orientation)
            return image if orientation is None else turn_pixels(image, orientation)

        if is_plain is None:
            return plain()

        def other() -> tf.Tensor:
            return tf.ensure_shape(_pillow_of(self)(content), (None, None, self.channels))

        return tf.cond(is_plain, plain, other)

    def resize(self, image: tf.Tensor) -> tf.Tensor:
        """Return an image in `image_size`."""
        if self.image_size is None:
            return image
        return tf.saturate_cast(tf.round(self.resize_values(image)), tf.uint8)

    def resize_values(self, image: tf.Tensor) -> tf.Tensor:
        """Return an image of any values in `image_size`, float32 where that is not its size."""
        if self.image_size is None:
            return image
        if self.crop_to_aspect_ratio:
            image = _crop(image, self.image_size)
        return self.resize_to(image, self.image_size)

    def resize_to(self, images: tf.Tensor, size: Any) -> tf.Tensor:
        """Return one image or several in a size, which is not `image_size` where that is None."""
        # Antialiased as pillow does it, else fine patterns of large photos become noise.
        return tf.image.resize(images, size, antialias=self.resize_method != BILINEAR)

    def decode_and_resize(self, content: tf.Tensor) -> tf.Tensor:
        """Return the upright pixels of any image in `image_size`."""
        return self.resize(self.decode_any(content))


def gray_of(image: tf.Tensor) -> tf.Tensor:
    """Return gray values (height, width, 1) of colors (height, width, 3), as `to_gray` does."""
    total = tf.reduce_sum(tf.cast(image, tf.int32) * tf.constant(LUMA), axis=-1, keepdims=True)
    return tf.cast((total + 32768) // 65536, tf.uint8)


@cache
def _pillow_of(decoding: ImageDecoding) -> Callable[[tf.Tensor], tf.Tensor]:
    def read(content: bytes) -> NDArray[np.uint8]:
        return read_pixels(content, decoding.channels, decoding.background, decoding.value_range)

    return _traced(read, tf.uint8)


@cache
def _header_reader() -> Callable[[tf.Tensor], tf.Tensor]:
    def read(content: bytes) -> NDArray[np.int32]:
        try:
            header = ImageHeader.read(content)
        except DataError:
            return np.array([1, 0], np.int32)  # pillow says what is wrong
        return np.array([header.orientation, header.is_plain], np.int32)

    return _traced(read, tf.int32)


def _look(content: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(_header_reader()(content), (2,))


def _traced(function: Callable[[bytes], Any], dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    # In a graph of its own, traced once: TensorFlow keeps a Python function for as long as the
    # outermost graph lives, so that every pipeline of every epoch would leave one behind.
    with tf.Graph().as_default(), tf.device("CPU:0"):
        traced: Callable[[tf.Tensor], tf.Tensor] = tf.function(
            lambda content: tf.numpy_function(function, [content], dtype, stateful=False),
            autograph=False,
        ).get_concrete_function(*SCALARS)
    return traced


def _crop(image: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    # In integers: the same window on every device. A very narrow image keeps one pixel.
    wanted_height = tf.minimum(height, width * image_size[0] // image_size[1])
    wanted_width = tf.minimum(width, height * image_size[1] // image_size[0])
    return tf.image.crop_to_bounding_box(
        image,
        (height - wanted_height) // 2,
        (width - wanted_width) // 2,
        tf.maximum(wanted_height, 1),
        tf.maximum(wanted_width, 1),
    )
