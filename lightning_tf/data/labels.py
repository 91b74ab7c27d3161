"""Checks of labels and class names, whatever is labeled."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import is_integer
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

ONE_HOT = " For one-hot labels pass y.argmax(axis=-1)."
SEVERAL = (
    " Rows that are not one-hot: tasks on images learn several labels with objective='multi_label'."
)


def flat_labels(labels: Any) -> tuple[NDArray[Any], str]:
    """Return labels as an array, a second dimension of 1 taken off, and a hint for a message.

    Example:
        >>> flat_labels([[1], [0]])[0].tolist(), flat_labels([[0, 1], [1, 0]])[1]
        ([1, 0], ' For one-hot labels pass y.argmax(axis=-1).')
    """
    try:
        array: NDArray[Any] = np.asarray(labels)  # (examples,), (examples, 1), or wrong
    except ValueError as error:
        raise DataError(
            f"The labels are lists of unlike lengths ({error}); give one each."
        ) from error
    if array.dtype.kind in "US" and not isinstance(labels, np.ndarray):
        # NumPy would write None, NaN and numbers among strings as strings: a class 'nan'.
        array = np.asarray(labels, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2:
        return array, ""
    is_one_hot = array.dtype.kind not in "biuf" or (array.sum(axis=1) == 1).all()
    return array, ONE_HOT if is_one_hot else SEVERAL


def checked_labels(name: str, labels: Any, num_classes: int | None = None) -> NDArray[np.int32]:
    """Return labels of shape (examples,) as int32; a second dimension of 1 is taken off.

    Args:
        name: The split that they belong to, for messages.
        labels: Integers of shape (examples,) or (examples, 1).
        num_classes: They must be below it; None checks only that none is negative.

    Raises:
        DataError: They are no integers, have another shape, or are out of range.
    """
    array, hint = flat_labels(labels)
    refuse_missing(name, array)
    if array.dtype == object and array.ndim == 1 and all(map(is_integer, array)):
        array = array.astype(np.int64)
    if array.ndim == 2 or array.dtype.kind not in "iu":
        raise DataError(
            f"The {name} labels have dtype {array.dtype} and shape {array.shape}; "
            f"they must be integers of shape (examples,).{hint}"
        )

    if array.ndim != 1:
        raise DataError(f"The {name} labels have shape {array.shape}; it must be (examples,).")

    # As large as int32 may hold: a loss on the device takes no larger labels.
    limit = np.iinfo(np.int32).max if num_classes is None else num_classes
    wrong = np.flatnonzero((array < 0) | (array >= limit))
    if len(wrong):
        allowed = "not negative" if num_classes is None else f"0 to {num_classes - 1}"
        raise DataError(
            f"The {name} labels must be {allowed}, but {len(wrong)} of {len(array)} are not: "
            f"the first is {array[wrong[0]]} at index {wrong[0]}."
        )
    return array.astype(np.int32)


def refuse_missing(name: str, labels: NDArray[Any]) -> None:
    """Refuse labels of which some are missing: None, NaN, and what pandas has for them.

    Raises:
        DataError: Names the first.
    """
    if labels.dtype.kind not in "fO" or labels.ndim != 1:
        return
    missing = [index for index, label in enumerate(labels.tolist()) if is_missing(label)]
    if missing:
        raise DataError(
            f"The {name} label at index {missing[0]} is {labels[missing[0]]!r}, and "
            f"{len(missing)} of {len(labels)} are missing; every example needs one: drop them, or "
            "give them a class of their own."
        )


def is_missing(label: Any) -> bool:
    """Return whether a label is None, NaN, or what pandas has for a missing value.

    Example:
        >>> is_missing(float("nan")), is_missing("nan")
        (True, False)
    """
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, (float, np.floating)) and bool(np.isnan(label))


def checked_class_names(
    names: Sequence[str] | None, num_classes: int, fewest: int = 2
) -> list[str]:
    """Return one name for each class; the numbers as text where None are given.

    Raises:
        DataError: There are fewer than `fewest` classes, or another number of names.
    """
    if num_classes < fewest:
        raise DataError(
            f"The data have {num_classes} class{'es' * (num_classes != 1)}"
            f"{f' ({names[0]})' if names else ''}; classification needs two or more."
        )
    names = [str(label) for label in range(num_classes)] if names is None else list(names)
    if len(names) != num_classes:
        raise DataError(f"{len(names)} class names are given for {num_classes} classes: {names}.")
    return names


def checked_classes(classes: Iterable[str], known: Sequence[str], where: str) -> list[str]:
    """Return the classes to keep.

    Args:
        classes: What the user chose.
        known: The classes that there are.
        where: What has them, for the message.

    Raises:
        ConfigurationError: Names a class that there is not, and the nearest one.
    """
    for name in classes:
        if name not in known:
            raise ConfigurationError(f"{where} has no class {name!r}.{nearest(name, known)}")
    return list(classes)


def sort_class_names(names: Iterable[str], number: Callable[[str], float] = int) -> list[str]:
    """Sort class names: numbers by size, then all others by letters.

    Args:
        names: In any order.
        number: Makes a number of a name, or raises a ValueError.

    Example:
        >>> sort_class_names(["b", "10", "9", "a"])
        ['9', '10', 'a', 'b']
    """

    def key(name: str) -> tuple[int, float, str]:
        try:
            return 0, float(number(name)), name
        except ValueError:
            return 1, 0.0, name

    return sorted(names, key=key)
