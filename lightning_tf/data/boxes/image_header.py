"""ImageHeader: what a file says of its image before it is decoded."""

import io
import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
TRANSPOSES = (
    None,
    "FLIP_LEFT_RIGHT",
    "ROTATE_180",
    "FLIP_TOP_BOTTOM",
    "TRANSPOSE",
    "ROTATE_270",
    "TRANSVERSE",
    "ROTATE_90",
)
"""How pillow turns an image of each orientation upright, from 1 on."""
# What TensorFlow decodes as pillow does. The rest is decoded by pillow once and kept as PNG.
PLAIN = {"JPEG": ("L", "RGB"), "PNG": ("1", "L", "P", "RGB")}
# pillow raises SyntaxError for a broken PNG, ValueError for some others.
UNREADABLE = (OSError, SyntaxError, ValueError)


@dataclass(frozen=True)
class ImageHeader:
    """Size and kind of the image in a file.

    Attributes:
        stored: Height and width of the pixels as they are stored.
        orientation: How a viewer turns them: EXIF's number, 1 to 8.
        is_plain: Whether TensorFlow decodes the file as pillow does.

    Example:
        >>> ImageHeader((30, 40), 6, True).upright
        (40, 30)
    """

    stored: tuple[int, int]
    orientation: int
    is_plain: bool

    @property
    def upright(self) -> tuple[int, int]:
        """Return height and width of the upright image."""
        return self.stored[::-1] if self.orientation in TURNED else self.stored

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "ImageHeader":
        """Read the header of a file.

        Raises:
            DataError: pillow knows no image in it.
        """
        import PIL.Image

        try:
            with PIL.Image.open(path) as image:
                orientation = _orientation(image)
                is_plain = (
                    image.mode in PLAIN.get(str(image.format), ())
                    and "transparency" not in image.info
                )
                width, height = image.size
        except (*UNREADABLE, PIL.Image.DecompressionBombError) as error:
            raise DataError(f"{path} is no image that can be decoded ({error}).") from error
        return cls((height, width), orientation, is_plain)

    def turn_boxes(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return boxes of the stored pixels as boxes of the upright image.

        Args:
            boxes: xyxy of shape (objects, 4).

        Example:
            >>> ImageHeader((30, 40), 6, True).turn_boxes(np.float64([[0, 0, 5, 10]])).tolist()
            [[20.0, 0.0, 30.0, 5.0]]
        """
        x_min, y_min, x_max, y_max = boxes.T
        if self.orientation in TURNED:
            x_min, y_min, x_max, y_max = y_min, x_min, y_max, x_max
        height, width = self.upright
        if self.orientation in (2, 3, 6, 7):
            x_min, x_max = width - x_max, width - x_min
        if self.orientation in (3, 4, 7, 8):
            y_min, y_max = height - y_max, height - y_min
        return np.stack([x_min, y_min, x_max, y_max], axis=1)


def read_upright(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Return the upright pixels of any image file: uint8 of shape (height, width, 3).

    What is transparent lies on white; of 16 bits the upper eight are kept.

    Raises:
        DataError: The file cannot be decoded.
    """
    import PIL.Image

    try:
        with PIL.Image.open(path) as opened:
            method = TRANSPOSES[_orientation(opened) - 1]
            image = opened if method is None else opened.transpose(PIL.Image.Transpose[method])
            if image.mode.startswith("I") or image.mode == "F":
                return _gray_of_16_bits(np.asarray(image))
            colors = image.convert("RGBA")
    except (*UNREADABLE, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be decoded ({error}); give a whole image.") from error
    white = PIL.Image.new("RGBA", colors.size, "white")
    return np.asarray(PIL.Image.alpha_composite(white, colors).convert("RGB"))


def encode_bmp(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of shape (height, width, 3) as the content of a BMP file: a copy, no more."""
    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of shape (height, width, 3) as the content of a PNG file."""
    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _orientation(image: Any) -> int:
    """Return EXIF's number of an opened image, 1 where it has none that is known."""
    # pillow would decode a whole PNG to look for a note behind its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about entries that nothing here reads
        number = image.getexif().get(ORIENTATION, 1)
    return number if number in range(1, len(TRANSPOSES) + 1) else 1


def _gray_of_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    gray = np.clip(values.astype(np.float64) // 256, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., np.newaxis], 3, axis=-1)
