"""place_labels: labels as people have them, such as 10, 20, 30 or names, as places in classes."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import is_integer
from lightning_tf.data.labels import checked_labels, flat_labels, refuse_missing, sort_class_names
from lightning_tf.exceptions import DataError

SHOWN = 10

_log = logging.getLogger(__name__)


def place_labels(
    labels: Mapping[str, Any],
    values: Sequence[Any] | None = None,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
) -> tuple[dict[str, NDArray[np.int32]], list[str] | None]:
    """Return labels as places in the classes, and the names of the classes where labels tell them.

    Integers that begin at 0 and are at least half of 0, 1, 2, ... are places already. Others, such
    as 10, 20, 30 or 1, 2, 3, and strings are the names of the classes; the log says so. `values`
    settles what they are, and `class_names` and `num_classes` that integers are places.

    Args:
        labels: Of each split, of shape (examples,) or (examples, 1).
        values: Every value that a label can have, in the order of the classes.
        class_names: Of the classes.
        num_classes: Number of classes.

    Raises:
        DataError: A label is missing, negative, no integer and no string, or none of the classes.

    Example:
        >>> codes, names = place_labels({"train": [10, 30, 20, 10]})
        >>> codes["train"].tolist(), names
        ([0, 2, 1, 0], ['10', '20', '30'])
    """
    arrays = {name: _checked(name, split) for name, split in labels.items()}
    are_names = any(array.dtype == object for array in arrays.values())
    if values is not None:
        names = [str(value) for value in values] if class_names is None else list(class_names)
        known = [str(value) for value in values] if are_names else [int(value) for value in values]
        return {name: _places(name, array, known) for name, array in arrays.items()}, names

    if are_names:
        found = {label for array in arrays.values() for label in array.tolist()}
        names = sort_class_names(found) if class_names is None else list(class_names)
        return {name: _places(name, array, names) for name, array in arrays.items()}, names

    count = num_classes if class_names is None else len(class_names)
    codes = {name: checked_labels(name, array, count) for name, array in arrays.items()}
    if count is not None or not any(len(array) for array in codes.values()):
        return codes, None if class_names is None else list(class_names)

    present = np.unique(np.concatenate(list(codes.values()))).tolist()
    if are_places(present):
        tell_gaps(present)
        return codes, None
    tell_names(present)
    placed = {
        name: np.searchsorted(present, array).astype(np.int32) for name, array in codes.items()
    }
    return placed, [str(value) for value in present]


def are_places(present: Sequence[int]) -> bool:
    """Return whether these labels can be taken for places in classes: 0, 1, 2, ..., some missing.

    Example:
        >>> are_places([0, 1, 3]), are_places([1, 2, 3]), are_places([0, 10])
        (True, False, False)
    """
    return not len(present) or (present[0] == 0 and 2 * len(present) > present[-1])


def tell_gaps(present: Sequence[int]) -> None:
    """Say which classes have no example."""
    missing = sorted(set(range(present[-1] + 1)) - set(present)) if len(present) else []
    if missing:
        _log.warning(
            "The labels are 0 to %d, and none is %s: %d classes, of which %d have no example. Pass "
            "labels= where the values are names of classes.",
            present[-1],
            shown_values(missing),
            present[-1] + 1,
            len(missing),
        )


def tell_untrained(
    classes: Mapping[str, Iterable[int]], names: Sequence[str] | None = None
) -> None:
    """Say which classes a held-out split has and training has not.

    Args:
        classes: Those that each split has, by its name.
        names: Of the classes; None shows their numbers.
    """
    trained = set(classes["train"])
    for split, present in classes.items():
        unknown = sorted(set(present) - trained)
        if unknown:
            _log.warning(
                "The %s split has classes without a training example: %s.",
                split,
                shown_values(unknown if names is None else [names[c] for c in unknown]),
            )


def count_classes(owner: str, labels: list[int]) -> int:
    """Return how many classes labels make that are places in them.

    Args:
        owner: What has the labels, for the message.
        labels: Every one that there is, sorted.

    Raises:
        DataError: They are no places, see `are_places`.
    """
    if not are_places(labels):
        raise DataError(
            f"The labels of {owner} are {shown_values(labels)}, which would make "
            f"{labels[-1] + 1} classes; number them from 0 on, or set num_classes on it where they "
            "are meant so."
        )
    tell_gaps(labels)
    return labels[-1] + 1


def tell_names(present: Sequence[int]) -> None:
    """Say that labels are taken for the names of classes."""
    _log.warning(
        "The labels are %s: taken for the names of %d classes. Pass labels= with all values in the "
        "order of the classes, or num_classes=%d where they are numbers of classes.",
        shown_values(present),
        len(present),
        present[-1] + 1,
    )


def shown_values(values: Sequence[Any]) -> str:
    """Return values as a message lists them."""
    more = ", ..." if len(values) > SHOWN else ""
    return ", ".join(map(str, values[:SHOWN])) + more


def _checked(name: str, labels: Any) -> NDArray[Any]:
    """Return integers, or strings as an array of objects."""
    array, hint = flat_labels(labels)
    refuse_missing(name, array)
    if array.dtype.kind in "OUS" and array.ndim == 1:
        items = [
            x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in array.tolist()
        ]
        if all(isinstance(item, str) for item in items):
            strings = np.empty(len(items), object)
            strings[:] = items
            return strings
        if all(map(is_integer, items)):
            return np.array(items, np.int64)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"The {name} labels have dtype {array.dtype} and shape {array.shape}; "
            f"they must be integers of shape (examples,), or strings.{hint}"
        )
    return array


def _places(name: str, labels: NDArray[Any], known: Sequence[Any]) -> NDArray[np.int32]:
    """Return the place of each label among the known ones."""
    place = {value: code for code, value in enumerate(known)}
    if len(place) != len(known):
        raise DataError(f"labels={list(known)!r}: give each once.")
    items = labels.tolist()
    unknown = [(index, item) for index, item in enumerate(items) if item not in place]
    if unknown:
        raise DataError(
            f"{len(unknown)} of the {name} labels are none of the classes {shown_values(known)}: "
            f"the first is {unknown[0][1]!r} at index {unknown[0][0]}."
        )
    return np.array([place[item] for item in items], np.int32)
