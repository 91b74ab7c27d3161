"""read_pixels: any image file to upright pixels; what every other decoder here agrees with."""

import io
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.image_header import UNREADABLE, orientation_of
from lightning_tf.data.images.stored_values import ValueRange, scale_to_bytes, stored_range
from lightning_tf.data.images.turn_pixels import turn_array
from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.exceptions import ConfigurationError, DataError

Color = tuple[int, int, int]
Source = str | os.PathLike[str] | bytes
WHITE: Color = (255, 255, 255)
LUMA = (19595, 38470, 7471)
"""Shares of red, green and blue in a gray value, of 65536: ITU-R BT.601 as pillow rounds it."""
# pillow drops the lower byte of colors of 16 bits; in the other byte order it drops the upper one.
_NATIVE, _OTHER = ("L", "B") if sys.byteorder == "little" else ("B", "L")
_OTHER_BYTE = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in (("L", "B"), ("B", "L"), ("N", _OTHER))
}
_BYTES_OF_DARK = 16  # as the upper byte of values of 12 bits is below


def read_pixels(
    source: Source,
    channels: int = 3,
    background: Color = WHITE,
    value_range: ValueRange | None = None,
) -> NDArray[np.uint8]:
    """Return the upright pixels of any image that pillow reads: uint8 (height, width, channels).

    EXIF's orientation is obeyed, palettes are looked up, what is transparent lies on a color, and
    of more than eight bits the values are scaled; of several images the first is read.

    Args:
        source: A file's path, or its content.
        channels: 1 for gray, 3 for color, 4 for color and transparency.
        background: Red, green and blue below what is transparent.
        value_range: The values of images of more than eight bits that become 0 and 255; None asks
            `stored_range` for each image alone.

    Raises:
        DataError: The file cannot be decoded, or holds NaN or infinity.

    Example:
        >>> from lightning_tf.data.images.image_header import encode_png
        >>> read_pixels(encode_png(np.full((4, 6, 3), 9, "uint8")), channels=1)[3, 5].tolist()
        [9]
    """
    values, alpha = read_stored(source)
    if values.dtype != np.uint8:
        if value_range is None:
            value_range = stored_range(*value_limits(values))
        values = scale_to_bytes(values, value_range)

    if values.shape[2] == 1 and (channels > 1 or alpha is not None):
        values = np.repeat(values, 3, axis=2)
    if channels == 4:
        opaque = np.full(values.shape[:2], 255, np.uint8) if alpha is None else alpha
        return np.dstack([values, opaque])
    if alpha is not None:
        values = blend(values, alpha[..., np.newaxis], background)
    return to_gray(values) if channels == 1 and values.shape[2] == 3 else values


def read_stored(source: Source) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Return the upright values of an image, of shape (height, width, 1 or 3), and its alpha.

    Values are uint8, or what a file of more than eight bits holds. Alpha is uint8 (height, width),
    None where nothing is transparent.

    Raises:
        DataError: See `read_pixels`.
    """
    import PIL.Image

    name = "the image" if isinstance(source, bytes) else shown_path(source)
    try:
        with _opened(source) as image:
            number = orientation_of(image)
            pixels = _deep_values(image, source)
            pixels = _byte_values(image) if pixels is None else pixels
    except (*UNREADABLE, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be decoded ({error}); give a whole image.") from error

    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise DataError(f"{name} holds NaN or infinity; fill such pixels.")

    pixels = turn_array(pixels, number)
    if pixels.ndim == 2:
        return pixels[..., np.newaxis], None
    if pixels.shape[2] != 4:
        return pixels, None
    alpha = pixels[..., 3]
    if alpha.dtype != np.uint8:
        alpha = scale_to_bytes(alpha, (0.0, 65535.0))
    return pixels[..., :3], None if (alpha == 255).all() else alpha


def value_limits(values: NDArray[Any]) -> tuple[float, float, bool]:
    """Return the lowest and the highest value, and whether they are floats."""
    return float(values.min()), float(values.max()), values.dtype.kind == "f"


def blend(colors: Any, alpha: Any, background: Color) -> Any:
    """Return colors over a background: uint8 of the shape of the colors.

    Args:
        colors: uint8 (height, width, 3), of NumPy.
        alpha: uint8 (height, width, 1).
        background: Red, green and blue.
    """
    colors, alpha = colors.astype(np.int32), alpha.astype(np.int32)
    total = colors * alpha + np.array(background, np.int32) * (255 - alpha)
    return divide_by_255(total).astype(np.uint8)


def divide_by_255(total: Any) -> Any:
    """Return integers divided by 255, rounded as pillow's alpha_composite does; also of a graph."""
    total = total * 128 + 128 * 128
    return (total // 256 + total) // 256 // 128


def to_gray(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return gray values (height, width, 1) of colors (height, width, 3), as pillow does."""
    total = colors.astype(np.int32) @ np.array(LUMA, np.int32)
    return ((total + 32768) // 65536).astype(np.uint8)[..., np.newaxis]


def checked_background(background: Any) -> Color:
    """Return red, green and blue of a color's name, as CSS has it, or of three numbers.

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> checked_background("black")
        (0, 0, 0)
    """
    from PIL import ImageColor

    try:
        if isinstance(background, str):
            return ImageColor.getrgb(background)[:3]
        red, green, blue = (int(value) for value in background)
        if all(0 <= value <= 255 for value in (red, green, blue)):
            return red, green, blue
    except (TypeError, ValueError):
        pass
    raise ConfigurationError(
        f"background={background!r}: give a color's name such as 'black', '#rrggbb', or red, green "
        "and blue from 0 to 255."
    )


def _opened(source: Source) -> Any:
    import PIL.Image

    return PIL.Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)


def _byte_values(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of an image of eight bits: (height, width), or with 3 or 4 colors."""
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    elif image.mode in ("1", "L"):
        image = image.convert("L")
    else:
        image = image.convert("RGB")
    return np.asarray(image)


def _deep_values(image: Any, source: Source) -> NDArray[Any] | None:
    """Return the values of an image of more than eight bits; None for another one."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        hole = image.info.get("transparency")
        if hole is None or image.mode == "F":
            return values
        opaque = np.where(values == hole, 0, 65535).astype(values.dtype)
        return np.dstack([values, values, values, opaque])

    mode = raw_mode(image)
    if ";16" not in mode:
        return None
    upper = np.asarray(image).astype(np.uint16)
    if mode not in _OTHER_BYTE:
        if upper[..., :3].max() < _BYTES_OF_DARK:
            raise ValueError(f"of the 16 bits of {mode} pillow reads the upper 8, which are dark")
        return upper * 257

    # A second look at the same file: its lower bytes, which hold all of an image of 12 bits.
    with _opened(source) as again:
        tiles = []
        for codec, extents, offset, arguments in again.tile:
            name = _OTHER_BYTE[mode]
            arguments = name if isinstance(arguments, str) else (name, *arguments[1:])
            tiles.append(type(again.tile[0])._make((codec, extents, offset, arguments)))
        again.tile = tiles
        whole: NDArray[Any] = upper * 256 + np.asarray(again)
    return whole[..., :3] if image.mode == "RGBX" else whole


def raw_mode(image: Any) -> str:
    """Return how the pixels of an opened image are stored, such as ``RGB;16B``."""
    if not image.tile:
        return ""
    arguments = image.tile[0][3]
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) else ""
