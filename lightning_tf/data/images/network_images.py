"""NetworkImages: arrays as users hold them, brought to a network's shape and values."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.image_decoding import DRAFT, ImageDecoding
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.read_pixels import LUMA, read_pixels
from lightning_tf.exceptions import DataError

BYTES = (0.0, 255.0)
CHANNELS = (1, 3, 4)
DARK = 16  # so many times smaller than the range are values that must mean another range
USUAL = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))  # no image is beyond them, whatever was learned
NOISE = 1 / 256  # of the range: less than a step of eight bits

_log = logging.getLogger(__name__)


class NetworkImages:
    """Brings images of any size and channels to the shape and values that a task has learned.

    Args:
        spec: Of the task's own images.
        decoding: How it has read files; their size becomes that of the network.
        given_range: The values of black and white in arrays; None means the task's own.
    """

    def __init__(
        self,
        spec: ImageSpec,
        decoding: ImageDecoding,
        given_range: tuple[float, float] | None = None,
    ) -> None:
        self.decoding, self.given_range = decoding, given_range
        self.input_shape, self.value_range = spec.input_shape, spec.value_range
        self.is_bytes = spec.value_range == BYTES

    def from_bytes(self, images: Any) -> Any:
        """Return pixels from 0 to 255 as float32 of the task's range."""
        return self._scaled(tf.cast(images, tf.float32), BYTES)

    def stack(self, images: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return images of any sizes as one array for the network.

        Args:
            images: Of shape (height, width, channels); uint8 that came from files in [0, 255], or
                in the range that was given.
        """
        others = {image.shape[:2] for image in images} - {self.input_shape[:2]}
        if others:
            height, width = self.input_shape[:2]
            _log.info(
                "images of %d x %d pixels are resized to %d x %d.", *min(others), height, width
            )
        fitting = [self._fit(image) for image in images]
        dtype = np.uint8 if all(x.dtype == np.uint8 for x in fitting) else np.float32
        return np.stack([x.astype(dtype, copy=False) for x in fitting])

    def shown(self, images: NDArray[Any]) -> Callable[[Any], NDArray[np.floating]]:
        """Return a function from indices to these images in [0, 1]."""
        low, high = self.value_range

        def pixels(indices: Any) -> NDArray[np.floating]:
            chosen = images[np.asarray(indices, np.int64)].astype(np.float32)
            clipped: NDArray[np.floating] = np.clip((chosen - low) / (high - low), 0.0, 1.0)
            return clipped

        return pixels

    def _scaled(self, images: Any, given: tuple[float, float]) -> Any:
        low, high = self.value_range
        scale = (high - low) / (given[1] - given[0])
        return images if given == self.value_range else (images - given[0]) * scale + low

    def _fit(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return an image in the network's channels, size and range."""
        given = self.given_range or self.value_range
        if image.dtype == np.uint8 and given == BYTES:
            image = _with_channels(image, self.input_shape[2], self.decoding, BYTES)
            if image.shape != self.input_shape:
                image = self.decoding.resize(tf.constant(image)).numpy()
            return image if self.is_bytes else self.from_bytes(image).numpy()

        image = _with_channels(image.astype(np.float32), self.input_shape[2], self.decoding, given)
        if image.shape != self.input_shape:
            image = self.decoding.resize_values(tf.constant(image)).numpy()
        scaled: NDArray[Any] = self._scaled(image, given)
        return scaled

    def check_values(self, images: Sequence[NDArray[Any]]) -> None:
        """Refuse values that the range does not fit, and say what looks like another one.

        Args:
            images: As a user holds them in arrays; what comes from files has a known range.
        """
        for place, image in enumerate(images):
            if image.dtype.kind == "f" and not np.isfinite(image).all():
                raise DataError(f"image {place} holds NaN or infinity; fill such pixels.")
        # By type: a mask among photos is found, and a dark photo among others is none.
        for dtype in dict.fromkeys(image.dtype for image in images):
            alike = [image for image in images if image.dtype == dtype]
            lowest = min(float(image.min()) for image in alike)
            highest = max(float(image.max()) for image in alike)
            self._check_limits(dtype, lowest, highest)

    def _check_limits(self, dtype: Any, lowest: float, highest: float) -> None:
        given = self.given_range or self.value_range
        (low, high), span = given, given[1] - given[0]
        is_dark = span >= DARK and 0 <= lowest <= highest <= 1
        # Zeros are black in every range, and who names the range of numbers means it.
        is_dark &= dtype.kind == "b" or (highest > 0 and self.given_range is None)
        # Nothing is blacker than 0; the highest of a training set is a limit for itself alone.
        below = span * (NOISE if low == 0 or given in USUAL else 0.5)
        above = span * (NOISE if given in USUAL else 0.5)
        if is_dark or lowest < low - below or highest > high + above:
            whose = "value_range is" if self.given_range else "the task has learned from values in"
            raise DataError(
                f"the images are {dtype} from {lowest:g} to {highest:g}, and {whose} "
                f"[{low:g}, {high:g}]; pass value_range={_guess(lowest, highest)} if these are "
                "black and white of the new images, and they are brought to the task's range; "
                "clip them where only some values are beyond it."
            )
        if lowest < low - span / 8 or highest > high + span / 8:
            _log.warning(
                "the images hold %g to %g, beyond [%g, %g], which the task has learned from; pass "
                "value_range= where black and white are others.",
                lowest,
                highest,
                low,
                high,
            )
        elif low == -high and lowest >= 0 and highest > lowest:
            _log.warning(
                "no value of the images is below 0, and the task has learned from values in "
                "[%g, %g]; pass value_range=(0, 1) if 0 is black.",
                low,
                high,
            )


def _guess(lowest: float, highest: float) -> str:
    """Return the range that values most likely are of."""
    for low, high in ((0, 1), (-1, 1), (0, 255)):
        if low <= lowest and highest <= high:
            return f"({low}, {high})"
    return f"({lowest:g}, {highest:g})"


def several_images(data: Any, network: NetworkImages) -> list[NDArray[Any]] | None:
    """Return images of shape (height, width, channels) of what a user holds; None of other data.

    Args:
        data: An array of one or several images, an image of pillow, the content of a file, or a
            list of these and of files.
        network: Tells what an array's dimensions mean, and how files are read.

    Raises:
        DataError: An array's shape is no image's, or its dimensions can mean two things.
    """
    if isinstance(data, (list, tuple)):
        if not len(data):
            raise DataError("there are no images to predict; give at least one.")
        items = [_one_image(item, network) for item in data]
        if any(image is None for image in items):
            numbers = not any(hasattr(item, "shape") for item in data)
            return _checked(data, network) if numbers and _is_numeric(data) else None
        images = [image for image in items if image is not None]
        is_array = [hasattr(item, "shape") for item in data]
        network.check_values([x for x, given in zip(images, is_array, strict=True) if given])
        return images

    image = _encoded_image(data, network)
    if image is not None:
        return [image]
    return _checked(data, network) if hasattr(data, "shape") else None


def _checked(data: Any, network: NetworkImages) -> list[NDArray[Any]]:
    images = _of_array(_numeric(data), network)
    network.check_values(images)
    return images


def _one_image(item: Any, network: NetworkImages) -> NDArray[Any] | None:
    if isinstance(item, str) or hasattr(item, "__fspath__"):
        return _read(item, network)
    image = _encoded_image(item, network)
    if image is not None:
        return image
    if not hasattr(item, "shape"):
        return None
    images = _of_array(_numeric(item), network)
    if len(images) != 1:
        raise DataError(
            f"an image of the list has shape {np.shape(item)}; give each as (height, width, "
            "channels), or one array of all."
        )
    return images[0]


def _encoded_image(item: Any, network: NetworkImages) -> NDArray[Any] | None:
    """Return the pixels of an image of pillow or of a file's content; None of something else."""
    import PIL.Image
    from PIL import ImageOps

    if isinstance(item, bytes):
        return _read(item, network)
    if not isinstance(item, PIL.Image.Image):
        return None
    upright = ImageOps.exif_transpose(item)
    if upright.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        upright = upright.convert("RGBA" if "A" in upright.mode or "a" in upright.mode else "RGB")
    content = io.BytesIO()
    upright.save(content, "PNG")  # so that it is read as a file is
    return _read(content.getvalue(), network)


def _read(source: Any, network: NetworkImages) -> NDArray[Any]:
    how = network.decoding
    pixels = _drafted(source, how) if how.resize_method == DRAFT else None
    if pixels is None:
        pixels = read_pixels(source, network.input_shape[2], how.background, how.value_range)
    # What is read from a file is in [0, 255], whatever arrays are in.
    given = network.given_range or network.value_range
    if given == BYTES:
        return pixels
    low, high = given
    return pixels.astype(np.float32) * ((high - low) / 255.0) + low


def _drafted(source: Any, decoding: ImageDecoding) -> NDArray[Any] | None:
    """Return the pixels of a file as a pipeline decodes it; None of one that is broken."""
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        pixels: NDArray[Any] = decoding.decode_any(tf.constant(content)).numpy()
    except (OSError, tf.errors.OpError):
        return None
    return pixels


def _numeric(data: Any) -> NDArray[Any]:
    array = np.asarray(data)
    if array.dtype.kind not in "uifb":
        raise DataError(f"the images are an array of {array.dtype}; give numbers.")
    return array


def _is_numeric(data: Any) -> bool:
    try:
        return np.asarray(data).dtype.kind in "uifb"
    except ValueError:  # rows of several lengths
        return False


def _of_array(array: NDArray[Any], network: NetworkImages) -> list[NDArray[Any]]:
    """Return the images of an array, of which the last dimension may be missing for gray."""
    height, width, channels = network.input_shape
    if 0 in array.shape:
        raise DataError(f"the images have shape {array.shape}: there is none among them.")
    wanted = (
        f"give (images, height, width, channels) or one image (height, width, channels); the task "
        f"has learned from {network.input_shape}"
    )
    size = height * width * channels
    if array.ndim in (1, 2) and array.shape[-1] == size and size > 1:
        shape = (-1, height, width, channels)
        raise DataError(f"the images have shape {array.shape}: {wanted}, as of x.reshape{shape}.")

    if array.ndim == 2:
        return [array[..., np.newaxis]]
    if array.ndim == 3:
        is_image = array.shape[-1] in CHANNELS
        are_gray = array.shape[1:] == (height, width) or (channels == 1 and not is_image)
        if is_image == are_gray:
            raise DataError(f"an array of shape {array.shape} can mean several things: {wanted}.")
        return [array] if is_image else list(array[..., np.newaxis])
    if array.ndim != 4 or array.shape[-1] not in CHANNELS:
        first = " Channels come last: x.transpose(0, 2, 3, 1)." if array.ndim == 4 else ""
        raise DataError(f"the images have shape {array.shape}: {wanted}.{first}")
    return list(array)


def _with_channels(
    image: NDArray[Any], channels: int, decoding: ImageDecoding, given: tuple[float, float]
) -> NDArray[Any]:
    """Return an image with 1 or 3 channels, what is transparent on the background."""
    low, high = given
    had = image.dtype
    if image.shape[2] == 4 and channels != 4:
        share = (image[..., 3:].astype(np.float32) - low) / (high - low)
        below = np.array(decoding.background, np.float32) / 255.0 * (high - low) + low
        image = _rounded(image[..., :3] * share + below * (1.0 - share), had)
    if image.shape[2] == 1 and channels > 1:
        image = np.repeat(image, 3, axis=2)
    if image.shape[2] == 3 and channels == 4:
        return np.concatenate([image, np.full_like(image[..., :1], high)], axis=2)
    if image.shape[2] == 3 and channels == 1:
        shares = np.array(LUMA, np.float32) / 65536.0
        image = _rounded((image @ shares)[..., np.newaxis], had)
    return image


def _rounded(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    rounded = np.rint(values) if np.dtype(dtype).kind in "ui" else values
    return rounded.astype(dtype)
