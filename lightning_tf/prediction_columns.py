"""Columns of predictions: a nest of arrays as what stands in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError

SINGLE = "prediction"  # the name of a prediction that is no dict
MOST_CLASSES = 100  # with a column each
TOP = 5  # classes of a row where there are more
BETWEEN = "|"  # several labels of an example

Columns = dict[str, Any]


def parts_of(outputs: Any) -> dict[str, NDArray[Any]]:
    """Return the arrays of a nest by name, in types that NumPy's own files hold.

    Args:
        outputs: What `predict_step` gave for a batch.

    Raises:
        DataError: There is None in it, or parts have different numbers of examples.

    Example:
        >>> list(parts_of({"a": np.zeros(3), "b": (np.ones(3), np.ones(3))}))
        ['a', 'b.0', 'b.1']
    """
    leaves = list(_walk((), outputs))
    if any(array is None for _, array in leaves):
        raise DataError("predict_step returned None, and there is nothing to write.")
    parts = {".".join(map(str, path)) or SINGLE: _storable(array) for path, array in leaves}

    if len({len(array) for array in parts.values()}) != 1:
        shapes = {name: array.shape for name, array in parts.items()}
        raise DataError(
            f"predict_step gave {shapes}; a table needs the examples as the first dimension of "
            "every part."
        )
    return parts


def named_columns(names: Mapping[str, Any], values: Columns) -> Columns:
    """Return the columns that name the examples, and then what was predicted of them.

    A predicted column of the same name is called ``predicted_<name>``.

    Args:
        names: None are numbered in a column ``row``.
        values: Equally long columns.
    """
    if not names:
        names = {"row": np.arange(len(next(iter(values.values()))))}
    taken = {f"predicted_{name}" if name in names else name: each for name, each in values.items()}
    return {**names, **taken}


def value_columns(parts: dict[str, NDArray[Any]]) -> Columns:
    """Return a column for each value of an example, such as ``prediction_0``."""
    columns: Columns = {}
    for name, array in parts.items():
        flat = array.reshape(len(array), -1)  # (examples, values)
        if flat.shape[1] == 1:
            columns[name] = flat[:, 0]
        else:
            columns |= {f"{name}_{i}": values for i, values in enumerate(flat.T)}
    return columns


def class_columns(probabilities: NDArray[Any], class_names: Sequence[str]) -> Columns:
    """Return label, number and probability of each row's class, and what each class has.

    Of more than `MOST_CLASSES` classes the `TOP` ones of each row have columns.

    Args:
        probabilities: Of shape (examples, classes).
        class_names: A name for each class.
    """
    names = np.array(list(class_names), object)
    best = probabilities.argmax(axis=1) if len(probabilities) else np.zeros(0, np.int64)
    columns: Columns = {
        "label": names[best],
        "class": best,
        "probability": np.take_along_axis(probabilities, best[:, np.newaxis], 1)[:, 0],
    }
    if len(names) <= MOST_CLASSES:
        return columns | probability_columns(probabilities, class_names)

    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]  # (examples, TOP)
    for place in range(1, TOP):
        columns[f"label_{place + 1}"] = names[order[:, place]]
        chosen = np.take_along_axis(probabilities, order[:, place : place + 1], 1)
        columns[f"probability_{place + 1}"] = chosen[:, 0]
    return columns


def label_columns(probabilities: NDArray[Any], class_names: Sequence[str]) -> Columns:
    """Return the labels above one half, between bars, and the probability of each label."""
    names = np.array(list(class_names), object)
    labels = np.array([BETWEEN.join(names[row > 0.5]) for row in probabilities], object)
    return {"label": labels, **probability_columns(probabilities, class_names)}


def number_columns(values: NDArray[Any], targets: Sequence[str]) -> Columns:
    """Return a column for each number, by the name of what was learned."""
    flat = values.reshape(len(values), -1)
    names = [f"value_{name}" if name.isdigit() else name for name in map(str, targets)]
    if names == ["value_0"]:
        names = ["value"]
    return {name: flat[:, place] for place, name in enumerate(names)}


def probability_columns(probabilities: NDArray[Any], class_names: Sequence[str]) -> Columns:
    """Return the probability of each class under its name."""
    return {f"probability_{n}": probabilities[:, i] for i, n in enumerate(class_names)}


def _walk(path: tuple[Any, ...], value: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of a nest with their paths."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _walk((*path, key), item)]
    if isinstance(value, (list, tuple)):
        return [leaf for i, item in enumerate(value) for leaf in _walk((*path, i), item)]
    return [(path, value)]


def _storable(array: Any) -> NDArray[Any]:
    """Return an array of a dtype that ``.npz`` files hold without pickle."""
    values: NDArray[Any] = np.atleast_1d(np.asarray(array))
    if values.dtype == object:  # strings of TensorFlow
        flat = [text.decode() if isinstance(text, bytes) else str(text) for text in values.ravel()]
        return np.array(flat).reshape(values.shape)
    return values.astype(np.float32) if values.dtype == tf.bfloat16.as_numpy_dtype else values
