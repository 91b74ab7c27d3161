"""ImageDecoding: from an encoded image to pixels of one size."""

from dataclasses import dataclass

import tensorflow as tf

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")


@dataclass(frozen=True)
class ImageDecoding:
    """How JPEG, PNG, BMP and GIF images (a GIF's first frame) become uint8 pixels.

    Attributes:
        image_size: Height and width to resize to, bilinear and antialiased; None keeps the size.
        channels: 1 for gray, 3 for color.
        crop_to_aspect_ratio: Cut the largest centered window of the wanted aspect ratio before
            resizing, instead of stretching the image.

    Example:
        >>> white = tf.io.encode_png(tf.fill((8, 6, 3), tf.constant(255, tf.uint8)))
        >>> pixels = ImageDecoding((4, 4)).decode_and_resize(white)
        >>> [int(n) for n in pixels.shape], int(pixels[0, 0, 0])
        ([4, 4, 3], 255)
    """

    image_size: tuple[int, int] | None = None
    channels: int = 3
    crop_to_aspect_ratio: bool = False

    def decode(self, content: tf.Tensor) -> tf.Tensor:
        """Return the pixels of an encoded image: uint8 of shape (height, width, channels)."""
        image = tf.io.decode_image(content, self.channels, expand_animations=False)
        return tf.ensure_shape(image, (None, None, self.channels))

    def decode_and_resize(self, content: tf.Tensor) -> tf.Tensor:
        """Return the pixels of an encoded image in `image_size`."""
        image = self.decode(content)
        if self.image_size is None:
            return image
        if self.crop_to_aspect_ratio:
            image = _crop(image, self.image_size)
        # Antialiased as pillow does it, else fine patterns of large photos become noise.
        resized = tf.image.resize(image, self.image_size, antialias=True)
        return tf.saturate_cast(tf.round(resized), tf.uint8)


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
