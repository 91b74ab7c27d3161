"""What is asked of images and labels before training starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError, DataError, nearest


def checked_images(name: str, images: Any) -> NDArray[Any]:
    """Images of shape (images, height, width, channels) and a number dtype.

    Raises:
        DataError: Wrong rank, wrong dtype, or none at all.
    """
    array: NDArray[Any] = np.asarray(images)
    if array.dtype.kind not in "uifb":
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


def checked_labels(name: str, labels: Any, num_classes: int | None = None) -> NDArray[np.int32]:
    """Labels of shape (examples,) as int32; a second dimension of 1 is taken off.

    Args:
        name: The part that they belong to, for messages.
        labels: Integers of shape (examples,) or (examples, 1).
        num_classes: They must be below it; None checks only that none is negative.

    Raises:
        DataError: They are no integers, have another shape, or are out of range.
    """
    array: NDArray[Any] = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 or array.dtype.kind not in "iu":
        hint = " For one-hot labels pass y.argmax(axis=-1)." if array.ndim == 2 else ""
        raise DataError(
            f"The {name} labels have dtype {array.dtype} and shape {array.shape}; "
            f"they must be integers of shape (examples,).{hint}"
        )
    if array.ndim != 1:
        raise DataError(f"The {name} labels have shape {array.shape}; it must be (examples,).")
    limit = np.iinfo(np.int32).max if num_classes is None else num_classes
    wrong = np.flatnonzero((array < 0) | (array >= limit))
    if len(wrong):
        known = "not negative" if num_classes is None else f"0 to {num_classes - 1}"
        raise DataError(
            f"The {name} labels must be {known}, but {len(wrong)} of {len(array)} are not: "
            f"the first is {array[wrong[0]]} at index {wrong[0]}."
        )
    return array.astype(np.int32)


def checked_class_names(names: list[str] | None, num_classes: int) -> list[str]:
    """One name for each class; the numbers as text where None are given.

    Raises:
        DataError: There are fewer than two classes, or another number of names.
    """
    if num_classes < 2:
        raise DataError(
            f"The data have {num_classes} class{'es' * (num_classes != 1)}"
            f"{f' ({names[0]})' if names else ''}; classification needs two or more."
        )
    names = [str(label) for label in range(num_classes)] if names is None else list(names)
    if len(names) != num_classes:
        raise DataError(f"{len(names)} class names are given for {num_classes} classes: {names}.")
    return names


def checked_value_range(low: float, high: float) -> tuple[float, float]:
    """The lowest and highest value of the training images.

    Raises:
        DataError: They are the same, so that there is nothing to learn and nothing to scale by.
    """
    if not low < high:
        raise DataError(f"Every pixel of the training images is {low}; give real images.")
    return float(low), float(high)


def checked_broken(broken: str) -> str:
    """What becomes of a broken image: ``error`` or ``skip``.

    Raises:
        ConfigurationError: It is neither.
    """
    if broken not in ("error", "skip"):
        raise ConfigurationError(f"broken is {broken!r}.{nearest(broken, ('error', 'skip'))}")
    return broken
