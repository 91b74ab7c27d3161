"""align_store: series and columns in the order in which a task knows them."""

from dataclasses import replace
from typing import Any

import numpy as np

from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.exceptions import DataError, nearest

ROLES = {"targets": "target", "unknown": "unknown", "known": "known"}


def align_store(store: SeriesStore, spec: Any, has_names: bool = True) -> SeriesStore:
    """Return a store whose columns and series are numbered as in a task, joined by their names.

    Args:
        store: Of other data than those of the task's fit, or of the same.
        spec: Names, as lists: series, targets, unknown, known.
        has_names: Whether the data have names of their own; columns of an array are taken in order.

    Returns:
        The store itself where nothing differs.

    Raises:
        DataError: A series is unknown to the task, or the columns of a role are others.

    Example:
        >>> from types import SimpleNamespace
        >>> x, starts = np.array([[1.0, 2.0]]), np.array([0, 1])
        >>> store = SeriesStore(x, np.arange(1), starts, ("b",), ("y", "z"))
        >>> spec = SimpleNamespace(series=["a", "b"], targets=["z", "y"], unknown=[], known=[])
        >>> aligned = align_store(store, spec)
        >>> aligned.values.tolist(), aligned.numbers.tolist()
        ([[2.0, 1.0]], [1])
    """
    wanted: list[str] = []
    for role, option in ROLES.items():
        mine, theirs = list(getattr(store, role)), list(getattr(spec, role))
        same = sorted(mine) == sorted(theirs) if has_names else len(mine) == len(theirs)
        if not same:
            raise DataError(
                f"the data have {option}={mine}, and the task learned {option}={theirs}; give the "
                "same columns under the same names."
            )
        wanted += theirs if has_names else mine

    unknown = [name for name in store.names if name not in spec.series]
    if unknown:
        raise DataError(
            f"the task knows no series {unknown[0]!r}.{nearest(unknown[0], spec.series)} Leave its "
            "rows out, or fit a new task."
        )

    columns = [*store.targets, *store.unknown, *store.known]
    if wanted != columns:
        order = [columns.index(name) for name in wanted]
        roles: dict[str, Any] = {role: tuple(getattr(spec, role)) for role in ROLES}
        store = replace(store, values=store.values[:, order], **roles)
    numbers = np.array([spec.series.index(name) for name in store.names], np.int64)
    return store if np.array_equal(numbers, _numbers(store)) else replace(store, numbers=numbers)


def _numbers(store: SeriesStore) -> Any:
    return np.arange(len(store.names)) if store.numbers is None else store.numbers
