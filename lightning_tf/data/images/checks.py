"""Checks of images and of how they are read."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.exceptions import ConfigurationError, DataError

_log = logging.getLogger(__name__)

HALF_WHITE = 127


def check_channels(channels: int) -> None:
    """Refuse a number of channels that files are not decoded to.

    Raises:
        ConfigurationError: It is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise ConfigurationError(f"channels is {channels!r}; give 1 for gray or 3 for color.")


def checked_images(name: str, images: Any) -> NDArray[Any]:
    """Return images of shape (images, height, width, channels) and a number dtype.

    Args:
        name: The split that they belong to, for messages.
        images: An array, or what becomes one.

    Raises:
        DataError: Wrong rank, wrong dtype, or none at all.
    """
    try:
        array: NDArray[Any] = np.asarray(images)
    except ValueError as error:
        raise DataError(_unlike_shapes(name, images)) from error
    if array.dtype.kind not in "uifb":  # unsigned, integer, float, bool
        raise DataError(
            f"The {name} images have dtype {array.dtype}; give decoded images of uint8 or float."
        )

    if array.ndim != 4:
        hint = " Add the channel with x[..., np.newaxis]." if array.ndim == 3 else ""
        raise DataError(
            f"The {name} images have shape {array.shape}; they must have rank 4: "
            f"(images, height, width, channels).{hint}"
        )

    if 0 in array.shape:
        raise DataError(f"The {name} images have shape {array.shape}: there is none among them.")

    # A sum finds a NaN without a second array of booleans.
    if array.dtype.kind == "f" and not np.isfinite(array.sum(dtype=np.float64)):
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        raise DataError(
            f"The {name} images hold NaN or infinity in {len(bad)} of {len(array)}, the first at "
            f"index {bad[0]}; drop or fill such pixels."
        )
    return array


def warn_of_channels_first(shape: Sequence[int]) -> None:
    """Warn of images that look like (channels, height, width).

    Args:
        shape: Of one image, taken for (height, width, channels).
    """
    if shape[0] in (1, 3, 4) and shape[1] > 4 and shape[2] > 4:
        _log.warning(
            "images of shape %s are taken for %d rows of %d pixels with %d channels; if the "
            "channels come first, pass x.transpose(0, 2, 3, 1).",
            tuple(shape),
            *shape,
        )


def _unlike_shapes(name: str, images: Any) -> str:
    shapes = [np.shape(image) for image in images]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), 0)
    return (
        f"The {name} images are of several shapes: {shapes[0]} at index 0 and {shapes[other]} at "
        f"index {other}; resize them to one, with tf.image.resize, or give a folder of files."
    )


def checked_value_range(low: float, high: float) -> tuple[float, float]:
    """Return the lowest and highest value of the training images.

    Raises:
        DataError: They are the same, so that there is nothing to learn and nothing to scale by.
    """
    if not low < high:
        raise DataError(f"Every pixel of the training images is {low}; give real images.")
    return float(low), float(high)


def value_range_of(images: NDArray[Any]) -> tuple[float, float]:
    """Return which values of these images mean black and white.

    Integers within 0 to 255 of which the largest is above 127 mean (0, 255). Where the largest is
    smaller, as of images of 0 and 1 or 0 to 16, no image is as bright as half of white: then it is
    what they hold, from 0 on, and the log says so. Everything else is scaled by what it holds.

    Raises:
        DataError: All values are the same, and they are no uint8.

    Example:
        >>> value_range_of(np.arange(17, dtype="uint8"))
        (0.0, 16.0)
    """
    return range_of_limits(images.dtype, float(images.min()), float(images.max()))


def range_of_limits(dtype: Any, low: float, high: float) -> tuple[float, float]:
    """Return what `value_range_of` does, of images whose lowest and highest value are known."""
    is_byte_like = np.dtype(dtype).kind in "ui" and low >= 0 and high <= 255
    if is_byte_like and (high > HALF_WHITE or (dtype == np.uint8 and low == high)):
        return 0.0, 255.0
    if is_byte_like and dtype == np.uint8:
        low = 0.0
        _log.warning(
            "The training images are uint8 and none of their values is above %g: %g is taken for "
            "white. Pass value_range=(0, 255) where 255 is.",
            high,
            high,
        )
    return checked_value_range(low, high)


def check_like_training(
    name: str, images: NDArray[Any], dtype: Any, value_range: tuple[float, float]
) -> None:
    """Hold images against those of training: their dtype and the values that they hold.

    Args:
        name: Of their split.
        images: Of that split.
        dtype: Of the training images.
        value_range: What means black and white in training.

    Raises:
        DataError: Another dtype, with values that the range of training does not fit.
    """
    low, high = value_range
    lowest, highest, span = float(images.min()), float(images.max()), high - low
    is_beyond = lowest < low - span or highest > high + span
    if images.dtype.kind != np.dtype(dtype).kind and (is_beyond or highest - lowest < span / 16):
        raise DataError(
            f"The {name} images are {images.dtype} from {lowest:g} to {highest:g}, those to train "
            f"on {np.dtype(dtype)} with a value range of {value_range}; bring them to one range, "
            "such as x / 255.0 or (x * 255).astype('uint8'), or pass value_range= where meant."
        )
    if is_beyond:
        _log.warning(
            "The %s images hold %g to %g, far beyond %s, the value range of the training images.",
            name,
            lowest,
            highest,
            value_range,
        )


def checked_range(value_range: Any) -> tuple[float, float]:
    """Return the lowest and the highest value that a user gave.

    Raises:
        ConfigurationError: They are no two numbers, the first below the second.
    """
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = 0.0
    if not low < high < float("inf"):
        raise ConfigurationError(
            f"value_range={value_range!r}: give the lowest and the highest value, such as (0, 255)."
        )
    return low, high


def checked_image_size(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width from one number or two.

    Raises:
        ConfigurationError: They are no positive integers.
    """
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size,) * 2
    if len(sides) != 2:
        raise ConfigurationError(
            f"image_size is {image_size!r}; give (height, width) or one number for both."
        )
    return checked_integer("image_size", sides[0], 1), checked_integer("image_size", sides[1], 1)
