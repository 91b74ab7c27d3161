"""class_texts and class_codes: the classes in a column, as text and as their numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.tables.category_text import category_texts, common_form, places_among
from lightning_tf.exceptions import DataError, nearest


def class_texts(column: Any, names: Sequence[str] | None = None) -> NDArray[Any]:
    """Return the class of every row as text; of numbers and truth values in one form.

    Args:
        column: A pandas Series.
        names: The classes, where they are given: then what is written stays.

    Raises:
        DataError: A class is missing; names the row.
    """
    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataError(f"{column.name} of row {column.index[missing[0]]} is missing.")

    labels = category_texts(column)
    form = common_form(labels.unique() if names is None else names)
    if form is not None and names is None:
        labels = labels.map({label: form(label) for label in labels.unique()})
    return np.asarray(labels.to_numpy(object))


def class_codes(column: Any, labels: NDArray[Any], names: Sequence[str]) -> NDArray[np.int32]:
    """Return the place of every row's class in the names.

    Args:
        column: A pandas Series, for messages.
        labels: What `class_texts` gave of it.
        names: The classes in their order.

    Raises:
        DataError: A row has another class; names it.
    """
    coded = places_among(labels, names)
    unknown = np.flatnonzero(coded < 0)
    if len(unknown):
        label = labels[unknown[0]]
        raise DataError(
            f"{column.name} of row {column.index[unknown[0]]} is {label!r}, which is no class of "
            f"the training rows.{nearest(label, names)}"
        )
    return coded
