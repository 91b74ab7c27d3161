"""FeatureColumns: what the columns of a table are to a network, learned from its training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.sources.table_file import check_columns
from lightning_tf.exceptions import DataError

OTHER = 0  # the number of every category that training rows do not have


class FeatureColumns:
    """Numeric columns by name, and categorical ones with their categories.

    Args:
        numbers: Names of the numeric columns.
        categories: For each categorical column its categories, as strings; they get the numbers 1,
            2, ... in this order, and all others 0.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"rooms": [2, 3], "town": ["Ulm", "Rom"]})
        >>> columns = FeatureColumns.from_table(table, ["rooms", "town"])
        >>> columns.arrays(table)["categories"].tolist()
        [[2], [1]]
    """

    def __init__(self, numbers: Sequence[str], categories: Mapping[str, Sequence[str]]) -> None:
        self.numbers = list(numbers)
        self.categories = {name: list(known) for name, known in categories.items()}

    @classmethod
    def from_table(
        cls, table: Any, features: Sequence[str], categorical: Sequence[str] = ()
    ) -> FeatureColumns:
        """Learn the columns and categories from training rows.

        Args:
            table: A DataFrame of training rows.
            features: The columns to learn from.
            categorical: Those whose numbers are names; columns without numbers always are.
        """
        from pandas.api.types import is_bool_dtype, is_numeric_dtype

        named = {
            name
            for name in features
            if name in categorical
            or is_bool_dtype(table[name])
            or not is_numeric_dtype(table[name])
        }
        # Sorted, so that the same rows in another order give the same numbers.
        categories = {
            name: sorted(table[name].dropna().astype(str).unique())
            for name in features
            if name in named
        }

        return cls([name for name in features if name not in named], categories)

    @property
    def names(self) -> list[str]:
        """Return the names of all columns."""
        return [*self.numbers, *self.categories]

    def arrays(self, table: Any, described: str = "The table") -> dict[str, NDArray[Any]]:
        """Return what the network takes of every row.

        Args:
            table: A DataFrame with these columns.
            described: What messages call it.

        Returns:
            ``numbers``, float32 of shape (rows, numeric columns), and ``categories``, int32 of
            shape (rows, categorical columns).

        Raises:
            DataError: A column or a value is missing, infinite, or no number.
        """
        check_columns(table, described, {"features": self.names})
        numbers = [checked_numbers(table, name).astype(np.float32) for name in self.numbers]
        codes = [
            _codes(table, name, {value: number for number, value in enumerate(known, OTHER + 1)})
            for name, known in self.categories.items()
        ]
        rows = len(table)
        return {
            "numbers": _stack(numbers, rows, np.float32),
            "categories": _stack(codes, rows, np.int32),
        }


def checked_numbers(table: Any, name: str) -> NDArray[np.float64]:
    """Return a column as numbers, none of them missing.

    Raises:
        DataError: Names the column, the row and the value.
    """
    import pandas as pd

    column = table[name]
    # What is no number becomes NaN, and is found together with what is missing.
    values = np.asarray(pd.to_numeric(column, errors="coerce"), np.float64)

    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        cell = column.iloc[bad[0]]
        cell = cell.item() if isinstance(cell, np.generic) else cell
        raise DataError(
            f"{name} of row {table.index[bad[0]]} is {cell!r}, and {len(bad)} of "
            f"{len(values)} values are missing or no finite numbers; correct them, or pass "
            "missing='drop' or a number."
        )
    return values


def _codes(table: Any, name: str, known: Mapping[str, int]) -> NDArray[np.int32]:
    bad = np.flatnonzero(table[name].isna().to_numpy())
    if len(bad):
        raise DataError(
            f"{name} of row {table.index[bad[0]]} is missing, and {len(bad)} in all; give it a "
            "category, or pass missing='drop'."
        )
    codes = [known.get(value, OTHER) for value in table[name].astype(str)]
    return np.array(codes, np.int32)


def _stack(columns: list[Any], rows: int, dtype: Any) -> NDArray[Any]:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), dtype)
