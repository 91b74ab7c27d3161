"""Checks of images and of how they are read."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.exceptions import ConfigurationError, DataError


def checked_images(name: str, images: Any) -> NDArray[Any]:
    """Return images of shape (images, height, width, channels) and a number dtype.

    Args:
        name: The split that they belong to, for messages.
        images: An array, or what becomes one.

    Raises:
        DataError: Wrong rank, wrong dtype, or none at all.
    """
    array: NDArray[Any] = np.asarray(images)
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
    return array


def checked_value_range(low: float, high: float) -> tuple[float, float]:
    """Return the lowest and highest value of the training images.

    Raises:
        DataError: They are the same, so that there is nothing to learn and nothing to scale by.
    """
    if not low < high:
        raise DataError(f"Every pixel of the training images is {low}; give real images.")
    return float(low), float(high)


def value_range_of(images: NDArray[Any]) -> tuple[float, float]:
    """Return (0.0, 255.0) for uint8, else the lowest and highest value of these images.

    Raises:
        DataError: All values are the same.
    """
    if images.dtype == np.uint8:
        return 0.0, 255.0
    return checked_value_range(images.min(), images.max())


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
