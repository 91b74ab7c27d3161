"""ImageHeader: what a file says of its image before it is decoded."""

import io
import math
import os
import re
import struct
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.plain_jpeg_size import BEGINNING, plain_jpeg_size
from lightning_tf.data.images.turn_pixels import MIRRORED_COLUMNS, MIRRORED_ROWS, TURNED
from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.exceptions import DataError

ORIENTATION = 0x0112
# What TensorFlow decodes as pillow does, to the bit; see `ImageDecoding`.
PLAIN = {"JPEG": ("L", "RGB"), "MPO": ("L", "RGB"), "PNG": ("1", "L", "P", "RGB")}
DEEP = ";16"
# pillow raises SyntaxError for a broken PNG, ValueError and others for some others.
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error)
NO_PIXELS = ("BUFR", "EPS", "FLI", "GRIB", "HDF5", "IPTC", "MPEG", "PCD", "WMF")
"""Formats that pillow knows by their beginning and decodes only with another program, if at all."""


@dataclass(frozen=True)
class ImageHeader:
    """Size and kind of the image in a file.

    Attributes:
        stored: Height and width of the pixels as they are stored.
        orientation: How a viewer turns them: EXIF's number, 1 to 8.
        is_plain: Whether TensorFlow decodes the file as pillow does.
        is_deep: Whether its values may have more than eight bits.

    Example:
        >>> ImageHeader((30, 40), 6, True).upright
        (40, 30)
    """

    stored: tuple[int, int]
    orientation: int
    is_plain: bool
    is_deep: bool = False

    @property
    def upright(self) -> tuple[int, int]:
        """Return height and width of the upright image."""
        return self.stored[::-1] if self.orientation in TURNED else self.stored

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes) -> "ImageHeader":
        """Read the header of a file, or of a file's content.

        Raises:
            DataError: pillow knows no image in it.
        """
        import PIL.Image

        name = "the image" if isinstance(source, bytes) else shown_path(source)
        try:
            with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
                stored = plain_jpeg_size(file.read(BEGINNING))
                if stored is not None and math.prod(stored) <= (PIL.Image.MAX_IMAGE_PIXELS or 0):
                    return cls(stored, 1, True)
                file.seek(0)
                with PIL.Image.open(file) as image:
                    return cls._of(image)
        except (*UNREADABLE, PIL.Image.DecompressionBombError) as error:
            # pillow names the file that it was given; people know it by its path.
            reason = re.sub(r"<_io\.BufferedReader name=(.*)>", r"\1", str(error))
            raise DataError(f"{name} is no image that can be decoded ({reason}).") from error

    @classmethod
    def _of(cls, image: Any) -> "ImageHeader":
        orientation = orientation_of(image)
        is_deep = image.mode.startswith("I") or image.mode == "F" or DEEP in str(image.tile)
        is_plain = (
            image.mode in PLAIN.get(str(image.format), ())
            and "transparency" not in image.info
            and not (image.format == "PNG" and getattr(image, "is_animated", False))
            and not is_deep  # of 16 bits, whatever the mode says
        )
        width, height = image.size
        return cls((height, width), orientation, is_plain, is_deep)

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
        if self.orientation in MIRRORED_COLUMNS:
            x_min, x_max = width - x_max, width - x_min
        if self.orientation in MIRRORED_ROWS:
            y_min, y_max = height - y_max, height - y_min
        return np.stack([x_min, y_min, x_max, y_max], axis=1)


def encode_png(pixels: NDArray[np.uint8], compress_level: int = 1) -> bytes:
    """Return pixels of shape (height, width, 3) as the content of a PNG file.

    Args:
        pixels: uint8.
        compress_level: 0 copies them, which takes the least time to encode and to decode.
    """
    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()


def orientation_of(image: Any) -> int:
    """Return EXIF's number of an opened image that is not loaded, 1 where it has none.

    Of a TIFF file it is 1: pillow turns its pixels when it loads them.
    """
    # pillow would decode a whole PNG to look for a note behind its pixels.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about entries that nothing here reads
        number = image.getexif().get(ORIENTATION, 1)
    return number if number in range(1, 9) else 1


@cache
def image_endings() -> tuple[str, ...]:
    """Return the endings of files that pillow decodes, in lower case, with those of its plugins.

    Example:
        >>> ".webp" in image_endings(), ".txt" in image_endings()
        (True, False)
    """
    import PIL.Image

    formats = PIL.Image.registered_extensions().items()  # loads the plugins
    return tuple(
        sorted(e for e, name in formats if name in PIL.Image.OPEN and name not in NO_PIXELS)
    )
