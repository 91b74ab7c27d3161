"""class_texts and class_codes: the classes in a column, as text and as their numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.tables.category_text import category_texts, common_form
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
    import pandas as pd

    # Each different class once. A class as it is written comes before one that means the same.
    places, texts = pd.factorize(labels)
    codes = {label: code for code, label in enumerate(names)}
    form = common_form(names)
    formed = {} if form is None else {form(label): code for label, code in codes.items()}
    numbers = [codes.get(text, formed.get(form(text), -1) if form else -1) for text in texts]
    coded: NDArray[np.int32] = np.array(numbers, np.int32)[places]

    unknown = np.flatnonzero(coded < 0)
    if len(unknown):
        label = labels[unknown[0]]
        raise DataError(
            f"{column.name} of row {column.index[unknown[0]]} is {label!r}, which is no class of "
            f"the training rows.{nearest(label, names)}"
        )
    return coded
