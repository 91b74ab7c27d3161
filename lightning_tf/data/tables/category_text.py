"""Categories as text: 2, 2.0 and "2" are one category, and so are True and "true"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.tables.number_format import cell_text

# The same patterns in Python and, by RE2, in the graph of an exported model.
NUMBER = r"^\s*\+?(-?)0*(\d+)(?:(\.\d*[1-9])0*|\.0*)?\s*$"
BOOLEANS = {"true": "1", "false": "0"}
TRUTH_OF = {"1": "True", "0": "False"}


def category_texts(column: Any) -> Any:
    """Return the cells of a column as text, a float without a fraction like an integer.

    Args:
        column: A pandas Series.

    Returns:
        A Series of strings; missing cells stay missing.

    Example:
        >>> import pandas as pd
        >>> category_texts(pd.Series([2.0, 2.5, None])).tolist()
        ['2', '2.5', nan]
    """
    import pandas as pd

    codes, cells = pd.factorize(column, use_na_sentinel=True)
    texts = np.array([*(_text(cell) for cell in cells), np.nan], object)
    return pd.Series(texts[codes], column.index, name=column.name)


def common_form(known: Iterable[str]) -> Callable[[str], str] | None:
    """Return what makes equal categories one text: of a column of numbers, or of truth values.

    Args:
        known: The categories of the training rows.

    Returns:
        None where they are other names, which are compared letter by letter.

    Example:
        >>> form = common_form(["1067", "80331"])
        >>> form("01067"), form("1067.0"), form("Ulm")
        ('1067', '1067', 'Ulm')
        >>> common_form(["False", "True"])("1"), common_form(["Ulm"])
        ('True', None)
    """
    known = list(known)
    if is_truth(known):
        return _truth_form
    return _number_form if is_numbers(known) else None


def places_among(texts: Any, known: Sequence[str]) -> NDArray[np.int32]:
    """Return the place of every text among the known ones, -1 of one that is none of them.

    A text as it is written comes before one that means the same; each different one is looked up
    once.

    Args:
        texts: A Series or an array.
        known: In their order.

    Example:
        >>> places_among(np.array(["b", "c", "b"], object), ["a", "b"]).tolist()
        [1, -1, 1]
    """
    import pandas as pd

    numbers, different = pd.factorize(texts)
    places = {text: place for place, text in enumerate(known)}
    form = common_form(known)
    formed = {} if form is None else {form(text): place for text, place in places.items()}
    looked_up = [places.get(t, formed.get(form(t), -1) if form else -1) for t in different]
    coded: NDArray[np.int32] = np.array([*looked_up, -1], np.int32)[numbers]
    return coded


def graph_form(known: Sequence[str]) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """Return what `common_form` returns, for tensors of strings in a graph.

    The categories themselves are in this form, as those of a task that was trained with it are.
    """
    truth = is_truth(known)
    if not truth and not is_numbers(known):
        return None

    def form(cells: tf.Tensor) -> tf.Tensor:
        lower = tf.strings.lower(cells)
        for word, number in BOOLEANS.items():
            cells = tf.where(tf.equal(lower, word), number, cells)
        cells = tf.strings.regex_replace(cells, NUMBER, r"\1\2\3")
        if truth:
            for number, word in TRUTH_OF.items():
                cells = tf.where(tf.equal(cells, number), word, cells)
        return cells

    return form


def is_truth(known: Sequence[str]) -> bool:
    """Return whether the categories are truth values, some of which may be written 0 and 1."""
    texts = {text.casefold() for text in known}
    return bool(texts & set(BOOLEANS)) and texts <= {*BOOLEANS, *TRUTH_OF}


def is_numbers(known: Sequence[str]) -> bool:
    """Return whether all categories are numbers."""
    return bool(known) and all(re.match(NUMBER, text) for text in known)


def _text(cell: Any) -> str:
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return cell_text(cell)


def _number_form(text: str) -> str:
    text = BOOLEANS.get(text.casefold(), text)
    return re.sub(NUMBER, lambda m: f"{m[1]}{m[2]}{m[3] or ''}", text)


def _truth_form(text: str) -> str:
    number = _number_form(text)
    return TRUTH_OF.get(number, number)
