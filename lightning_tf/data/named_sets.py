"""Several data sets of one stage: their names, and how they are read from what a method gives."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.checks import describe
from lightning_tf.exceptions import DataError

NamedSets = dict[str | int, tf.data.Dataset]  # in their order; numbers are the places in a list


def named_sets(method: str, given: Any) -> tf.data.Dataset | NamedSets | None:
    """Return what a dataset method gave: one data set, several by name or place, or None.

    Args:
        method: Such as ``MyData.val_dataset``, for messages.
        given: A `tf.data.Dataset`, a dict or a list of them, or None.

    Raises:
        DataError: It is something else, no set is in it, or a name could not stand in a metric's.

    Example:
        >>> list(named_sets("Mine.val_dataset", [tf.data.Dataset.range(3)]))
        [0]
    """
    if given is None or isinstance(given, tf.data.Dataset):
        return given
    if isinstance(given, Mapping):
        sets: NamedSets = dict(given)
    elif isinstance(given, (list, tuple)):
        sets = dict(enumerate(given))
    else:
        raise DataError(
            f"{method} returned a {type(given).__name__}; return a batched tf.data.Dataset, a dict "
            "or a list of several, or None where there is no such data."
        )

    if not sets:
        raise DataError(f"{method} returned no data set; return None where there is no such data.")
    for name, dataset in sets.items():
        if isinstance(given, Mapping) and not _is_name(name):
            raise DataError(
                f"{method} names a data set {name!r}, which becomes part of its metrics' names; "
                "give a text without '/', or return a list."
            )
        if not isinstance(dataset, tf.data.Dataset):
            raise DataError(
                f"{method}: data set {name!r} is {describe(dataset)}; give a batched "
                "tf.data.Dataset, and leave out what there is not."
            )
    return sets


def by_name(sets: tf.data.Dataset | NamedSets) -> dict[str | int | None, tf.data.Dataset]:
    """Return data sets by name; one alone has the name None."""
    if not isinstance(sets, dict):
        return {None: sets}
    return {name: dataset for name, dataset in sets.items()}  # noqa: C416 (another type of keys)


def first_set(sets: tf.data.Dataset | NamedSets | None) -> tf.data.Dataset | None:
    """Return one data set, the first of several, for whoever wants some examples."""
    return next(iter(sets.values())) if isinstance(sets, dict) else sets


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name) and "/" not in name
