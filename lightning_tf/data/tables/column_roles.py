"""ColumnRoles: which columns of a table are numbers, names or dates, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightning_tf.data.tables.date_parts import is_date_column
from lightning_tf.data.tables.number_format import (
    NumberFormat,
    first_word,
    has_codes,
    has_text,
    nearly_numbers,
)
from lightning_tf.exceptions import DataError

NEARLY = 0.5  # a column of text of which so many cells are numbers is not taken for names
ROW_NUMBERS = re.compile(r"Unnamed: \d+|__index_level_\d+__")


@dataclass
class ColumnRoles:
    """What the columns of the training rows are taken for.

    A column of numbers is numbers, of truth values or a pandas category names, of datetimes or text
    as ISO 8601 dates. Other text is numbers where all of it is written so and none has leading
    zeros (a postcode), and names where less than half is.

    Attributes:
        numbers: Columns of numbers.
        categories: Columns of names.
        dates: Columns of dates.
        notes: One for each guess that is not plain from the dtype, to be told.
    """

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        table: Any,
        features: Sequence[str],
        number_format: NumberFormat,
        *,
        categorical: Sequence[str] = (),
        numeric: Sequence[str] = (),
        date_format: str | None = None,
    ) -> ColumnRoles:
        """Find out what the columns are.

        Args:
            table: A DataFrame of training rows.
            features: The columns to learn from.
            number_format: How numbers are written in text.
            categorical: Columns that are names, whatever they look like.
            numeric: Columns that are numbers.
            date_format: How dates are written that are not as ISO 8601.

        Raises:
            DataError: A column has no value, holds lists or dicts, or is nearly numeric.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"rooms": [2, 3], "town": ["Ulm", "Rom"]})
            >>> ColumnRoles.of(table, ["rooms", "town"], NumberFormat()).categories
            ['town']
        """
        roles = cls()
        for name in features:
            column = table[name]
            if not column.notna().any():
                raise DataError(
                    f"{name} has no value in any training row; leave it out with features=."
                )
            _refuse_nested(name, column)
            if name in categorical:
                roles.categories.append(name)
            elif name in numeric:
                roles.numbers.append(name)
            else:
                roles._guess(name, column, number_format, date_format)
        return roles

    def _guess(
        self, name: str, column: Any, number_format: NumberFormat, date_format: str | None
    ) -> None:
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        if is_bool_dtype(column) or column.dtype.name == "category":
            self.categories.append(name)
        elif is_numeric_dtype(column) or column.dtype.kind == "m":
            self.numbers.append(name)
            if column.dtype.kind == "m":
                self.notes.append(f"{name}: durations, in seconds")
        elif is_date_column(column, date_format):
            self.dates.append(name)
        else:
            self._guess_text(name, column, number_format)

    def _guess_text(self, name: str, column: Any, number_format: NumberFormat) -> None:
        numbers, words = number_format.read(column)
        count = int((numbers == numbers).sum())  # NaN is not equal to itself
        total = count + int(words.sum())
        if total and count == total:
            if has_codes(column):
                self.categories.append(name)
                self.notes.append(f"{name}: names, as some have leading zeros")
            else:
                self.numbers.append(name)
                if has_text(column):
                    self.notes.append(f"{name}: numbers written as text")
            return

        if max(count, nearly_numbers(column)) >= NEARLY * total:
            row, cell = first_word(column, words)
            raise DataError(
                f"{name} is {count} of {total} times a number, but row {row} is "
                f"{cell!r}; correct it, pass na_values=[{cell!r}], thousands=',' or decimal=',' "
                "(options of FeatureTable, data_options of a task), or name the column in "
                "categorical=."
            )
        self.categories.append(name)
        if count:
            self.notes.append(f"{name}: names, {count} of {total} of them numbers")
        different = column.nunique()
        if different > 20 and different > 0.5 * len(column):
            self.notes.append(f"{name}: {different} different names in {len(column)} rows")


def _refuse_nested(name: str, column: Any) -> None:
    """Refuse lists, dicts and arrays in cells."""
    from pandas.api.types import infer_dtype

    if column.dtype != object or infer_dtype(column, skipna=True) != "mixed":
        return
    for row, cell in column.items():
        if isinstance(cell, (list, tuple, dict, set, np.ndarray)):
            raise DataError(
                f"{name} of row {row} is a {type(cell).__name__}; make a column of each of its "
                "items, or leave it out with features=."
            )


def row_numbers(table: Any, features: Sequence[str]) -> list[str]:
    """Return the columns in which a saved table kept its row numbers.

    Args:
        table: A DataFrame.
        features: Columns that could be learnt from.

    Example:
        >>> import pandas as pd
        >>> row_numbers(pd.DataFrame({"Unnamed: 0": [0, 1], "a": [1, 2]}), ["Unnamed: 0", "a"])
        ['Unnamed: 0']
    """
    return [
        name
        for name in features
        if ROW_NUMBERS.fullmatch(name) and table[name].dtype.kind in "iu" and table[name].is_unique
    ]
