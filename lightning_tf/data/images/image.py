"""Image: one image from a file or an array, upright, with its transparency apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer, checked_path
from lightning_tf.data.images.read_pixels import blend, checked_background, read_pixels
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.storage.remote_files import stored

OPAQUE = 255


@dataclass(frozen=True)
class Image:
    """Colors and transparency of one image.

    Attributes:
        pixels: uint8 of shape (height, width, 3), 0 to 255; what is transparent lies on the
            background.
        alpha: uint8 of shape (height, width), 255 where the image covers what is below it; None
            where all of it does.

    Example:
        >>> image = Image.read(np.zeros((30, 40, 3), "uint8"), longer_side=20)
        >>> image.pixels.shape
        (15, 20, 3)
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None

    @classmethod
    def read(
        cls,
        source: Any,
        longer_side: int | None = None,
        name: str = "image",
        background: str | tuple[int, int, int] = "white",
    ) -> Image:
        """Read an image from a file (JPEG, PNG, whatever pillow reads) or an array.

        A file is decoded by `read_pixels`, as files of a folder are.

        Args:
            source: A path; or an array of shape (height, width) or (height, width, 1, 3 or 4),
                uint8 or float in [0, 1]; or an Image.
            longer_side: Pixels that the longer side is resized to; None keeps the size.
            name: What it is, for messages.
            background: The color below what is transparent: a name, or red, green and blue.

        Raises:
            DataError: The file is missing or no image, or the array has another shape or range.
            ConfigurationError: `longer_side` is no positive integer.
        """
        import PIL.Image

        color = checked_background(background)
        if isinstance(source, cls):
            source = source.with_alpha()

        if isinstance(source, (str, os.PathLike)):
            path = Path(source).expanduser()
            if not path.is_file():
                raise DataError(f"{name} {str(source)!r} is no file; give a JPEG or PNG file.")
            try:
                image = PIL.Image.fromarray(read_pixels(path, channels=4))
            except DataError as error:
                raise DataError(f"{name} {error}") from error
        else:
            image = PIL.Image.fromarray(_checked_pixels(source, name)).convert("RGBA")

        # Resized while transparency is still apart: colors and alpha are averaged together.
        if longer_side is not None:
            image = _resize(image, checked_integer("image_size", longer_side, 1))

        alpha: NDArray[np.uint8] = np.asarray(image.getchannel("A"))  # (height, width)
        # On white, as a page or a browser shows it, unless told otherwise.
        pixels = blend(np.asarray(image)[..., :3], alpha[..., np.newaxis], color)
        return cls(pixels, None if (alpha == OPAQUE).all() else alpha)

    @property
    def unit(self) -> NDArray[np.float32]:
        """Return the colors as float32 in [0, 1], shape (1, height, width, 3)."""
        return self.pixels[np.newaxis].astype(np.float32) / np.float32(255.0)

    def with_alpha(self) -> NDArray[np.uint8]:
        """Return uint8 of shape (height, width, 3), or 4 where something is transparent."""
        if self.alpha is None:
            return self.pixels
        return np.concatenate([self.pixels, self.alpha[..., np.newaxis]], axis=-1)

    def recolor(self, unit: Any) -> Image:
        """Return an image of other colors with this one's transparency.

        Args:
            unit: Float in [0, 1], shape (1, height, width, 3), the size of this image.
        """
        colors = np.clip(np.asarray(unit, np.float32)[0], 0.0, 1.0)
        return Image(np.round(colors * 255.0).astype(np.uint8), self.alpha)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a PNG file, and its folder where that is missing.

        Raises:
            ConfigurationError: The name does not end in .png.
        """
        import PIL.Image

        target = checked_png(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(self.with_alpha()).save(target, format="PNG")
        stored(target)
        return target


def checked_png(path: str | os.PathLike[str]) -> Path:
    """Return the path of a PNG file to be written.

    Raises:
        ConfigurationError: The name has another ending.
    """
    target = Path(checked_path("out", path))
    if target.suffix.lower() != ".png":
        raise ConfigurationError(f"out={str(path)!r}: images are written as PNG; end it in .png.")
    return target


def _resize(image: Any, longer_side: int) -> Any:
    import PIL.Image

    scale = longer_side / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    # Weighed by alpha, so that the color below transparent pixels does not bleed into an edge.
    return image.convert("RGBa").resize(size, PIL.Image.Resampling.LANCZOS).convert("RGBA")


def _checked_pixels(source: Any, name: str) -> NDArray[np.uint8]:
    array: NDArray[Any] = np.asarray(source)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]

    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4)):
        raise DataError(
            f"{name} is {_describe(source, array)}; give a path, or an array of shape "
            "(height, width) or (height, width, 1, 3 or 4)."
        )
    if 0 in array.shape:
        raise DataError(f"{name} has shape {array.shape}: it has no pixels.")

    if array.dtype == np.uint8:
        return array
    if (
        array.dtype.kind != "f"
        or not np.isfinite(array).all()
        or array.min() < 0
        or array.max() > 1
    ):
        raise DataError(
            f"{name} is an array of {array.dtype} between {array.min()} and {array.max()}; give "
            "uint8, or float in [0, 1]."
        )
    return np.round(array * 255.0).astype(np.uint8)


def _describe(source: Any, array: NDArray[Any]) -> str:
    return f"an array of shape {array.shape}" if array.ndim else f"a {type(source).__name__}"
