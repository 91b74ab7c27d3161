"""FeatureColumns: what the columns of a table are to a network, learned from its training rows."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.tables.category_text import category_texts, common_form, places_among
from lightning_tf.data.tables.column_roles import ColumnRoles
from lightning_tf.data.tables.date_parts import date_part_names, date_parts
from lightning_tf.data.tables.float32_loss import SAMPLE, needs_float64
from lightning_tf.data.tables.number_format import NumberFormat, first_word
from lightning_tf.exceptions import DataError, nearest

_log = logging.getLogger(__name__)

OTHER = 0  # the number of every category that training rows do not have


class FeatureColumns:
    """Numeric columns by name, and categorical ones with their categories.

    Args:
        numbers: Names of the numeric columns.
        categories: For each categorical column its categories, as strings; they get the numbers 1,
            2, ... in this order, and all others 0.
        dates: Columns of dates, each of which becomes the numbers of `date_parts`.
        order: Of all columns, in which an array without names has them; None where it is unknown.
        fill: What stands for a missing number; None refuses one.
        number_format: How numbers are written in columns of text.
        date_format: How dates are, where not as ISO 8601.
        precise: Whether numbers stay float64: float32 would make different ones equal.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"rooms": [2, 3], "town": ["Ulm", "Rom"]})
        >>> columns = FeatureColumns.from_table(table, ["rooms", "town"])
        >>> columns.arrays(table)["categories"].tolist()
        [[2], [1]]
    """

    def __init__(
        self,
        numbers: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        *,
        dates: Sequence[str] = (),
        order: Sequence[str] | None = None,
        fill: float | None = None,
        number_format: NumberFormat | None = None,
        date_format: str | None = None,
        precise: bool = False,
    ) -> None:
        self.columns = list(numbers)
        self.dates = list(dates)
        self.categories = {name: list(known) for name, known in categories.items()}
        self.order = None if order is None else list(order)
        self.fill, self.precise = fill, precise
        self.number_format = number_format or NumberFormat()
        self.date_format = date_format

    @classmethod
    def from_table(
        cls,
        table: Any,
        features: Sequence[str],
        *,
        rows: Indices | None = None,
        roles: ColumnRoles | None = None,
        **options: Any,
    ) -> FeatureColumns:
        """Learn the columns and categories from training rows.

        Args:
            table: A DataFrame.
            features: The columns to learn from, in the table's order.
            rows: The training rows, by place; None takes all.
            roles: What they are; None guesses.
            **options: fill, number_format, date_format.
        """
        number_format = options.get("number_format") or NumberFormat()
        roles = roles or ColumnRoles.of(table, features, number_format)
        rows = np.arange(len(table)) if rows is None else rows
        # Sorted, so that the same rows in another order give the same numbers.
        categories = {name: _categories(table[name].iloc[rows]) for name in roles.categories}

        columns = cls(roles.numbers, categories, dates=roles.dates, order=features, **options)
        sample = table.iloc[rows[:: max(1, len(rows) // SAMPLE)]]
        columns.precise = any(needs_float64(values) for _, _, values in columns._values(sample))
        return columns

    @property
    def numbers(self) -> list[str]:
        """Return the names of the numbers that the network takes, parts of dates behind."""
        return [*self.columns, *(part for name in self.dates for part in date_part_names(name))]

    @property
    def names(self) -> list[str]:
        """Return the names of all columns of the table."""
        return [*self.columns, *self.dates, *self.categories]

    def config(self) -> dict[str, Any]:
        """Return plain arguments that make the same columns again."""
        return {
            "numbers": self.columns,
            "categories": self.categories,
            "dates": self.dates,
            "order": self.order,
            "fill": self.fill,
            "number_format": dataclasses.asdict(self.number_format),
            "date_format": self.date_format,
            "precise": self.precise,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FeatureColumns:
        """Make columns of what `config` returned."""
        return cls(**{**config, "number_format": NumberFormat(**config.get("number_format", {}))})

    def arrays(self, table: Any, described: str = "The table") -> dict[str, NDArray[Any]]:
        """Return what the network takes of every row.

        Args:
            table: A DataFrame with these columns.
            described: What messages call it.

        Returns:
            ``numbers``, float32 (float64 where `precise`) of shape (rows, numbers), and
            ``categories``, int32 of shape (rows, categorical columns).

        Raises:
            DataError: A column or a value is missing, infinite, or no number.
        """
        self._check_names(table, described)
        if self.number_format.na_values:
            table = self.number_format.without_missing(table[self.names])

        # Filled column by column: of a large table no second copy is made.
        dtype = np.float64 if self.precise else np.float32
        numbers = np.empty((len(table), len(self.numbers)), dtype)
        for place, (name, part, values) in enumerate(self._values(table)):
            if self.fill is not None:
                values = np.where(np.isnan(values), self.fill, values)
            numbers[:, place] = refuse_not_finite(values, table[name], part)
        codes = np.empty((len(table), len(self.categories)), np.int32)
        for place, (name, known) in enumerate(self.categories.items()):
            codes[:, place] = _codes(table, name, known)
        return {"numbers": numbers, "categories": codes}

    def reading(
        self, fill: float | None, na_values: Any = (), date_format: str | None = None
    ) -> FeatureColumns:
        """Return the same columns of a table that is written in another way.

        Args:
            fill: What stands for a missing number; None refuses one.
            na_values: What stands for a missing value, beside what does so already.
            date_format: How dates are written; None is as before.

        Example:
            >>> FeatureColumns(["rooms"], {}).reading(fill=0.0).fill
            0.0
        """
        more = [na_values] if isinstance(na_values, (str, float, int)) else na_values
        format = self.number_format
        format = dataclasses.replace(format, na_values=[*format.na_values, *more])
        dates = date_format or self.date_format
        config = self.config() | {"fill": fill, "number_format": format, "date_format": dates}
        return FeatureColumns(**config)

    def whole_rows(self, table: Any, described: str = "The table") -> Any:
        """Return the rows of a DataFrame in which no value is missing or infinite.

        Raises:
            DataError: A column is missing, a word stands among numbers, or no row is left.
        """
        self._check_names(table, described)
        table = self.number_format.without_missing(table[self.names])
        read = table.copy(deep=False)
        for name in self.columns:
            read[name], words = self.number_format.read(table[name])
            refuse_words(table[name], words)
        return table.loc[rows_with_values(read, "the table").index]

    def _check_names(self, table: Any, described: str) -> None:
        lacking = [name for name in self.names if name not in table.columns]
        if lacking:
            raise DataError(
                f"{described} has no column {lacking[0]!r}, and lacks {len(lacking)} of "
                f"{len(self.names)} that were learned from; add it, or rename the one that holds "
                f"it.{nearest(lacking[0], table.columns)}"
            )

    def _values(self, table: Any) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
        """Yield column, name and values of all numbers, NaN where they are missing."""
        for name in self.columns:
            values, words = self.number_format.read(table[name])
            refuse_words(table[name], words)
            yield name, name, values
        for name in self.dates:
            for part, values in date_parts(table[name], self.date_format).items():
                yield name, part, values


def checked_numbers(table: Any, name: str, number_format: NumberFormat) -> NDArray[np.float64]:
    """Return a column as numbers, none of them missing.

    Raises:
        DataError: Names the column, the row and the value.
    """
    values, words = number_format.read(table[name])
    refuse_words(table[name], words)
    return refuse_not_finite(values, table[name], name)


def rows_with_values(table: Any, described: str) -> Any:
    """Return the rows of a DataFrame that lack no value, and say how many do.

    Raises:
        DataError: Every row lacks one.
    """
    whole = table.replace([np.inf, -np.inf], np.nan)
    kept = table[whole.notna().all(axis=1)]
    if not len(kept):
        raise DataError(f"Every row of {described} lacks a value; fill some.")
    if len(kept) < len(table):
        lacking = (len(table) - whole.count()).sort_values()
        _log.warning(
            "missing='drop' leaves out %d of %d rows of %s; %s lacks most, %d.",
            len(table) - len(kept), len(table), described, lacking.index[-1], lacking.iloc[-1],
        )  # fmt: skip
    return kept


def refuse_not_finite(values: NDArray[np.float64], column: Any, name: str) -> NDArray[np.float64]:
    """Return numbers that all are finite.

    Raises:
        DataError: Names the column, the row and the value.
    """
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        cell = column.iloc[bad[0]]
        cell = cell.item() if isinstance(cell, np.generic) else cell
        raise DataError(
            f"{name} of row {column.index[bad[0]]} is {cell!r}, and {len(bad)} of "
            f"{len(values)} values are missing or no finite numbers; correct them, or pass "
            f"missing='drop'{' or a number' if np.isnan(values).any() else ''}."
        )
    return values


def refuse_words(column: Any, words: NDArray[np.bool_]) -> None:
    """Refuse a column of numbers in which words stand.

    Args:
        column: A pandas Series.
        words: Where they are.

    Raises:
        DataError: Names the row and the first word.
    """
    if not words.any():
        return
    row, cell = first_word(column, words)
    raise DataError(
        f"{column.name} of row {row} is {cell!r}, no number, and "
        f"{int(words.sum())} of {len(column)} are none; correct them, or pass na_values=[{cell!r}] "
        "and missing='drop' or a number."
    )


def _categories(column: Any) -> list[str]:
    texts = sorted(category_texts(column).dropna().unique())
    form = common_form(texts)
    return texts if form is None else sorted({form(text) for text in texts})


def _codes(table: Any, name: str, known: Sequence[str]) -> NDArray[np.int32]:
    bad = np.flatnonzero(table[name].isna().to_numpy())
    if len(bad):
        raise DataError(
            f"{name} of row {table.index[bad[0]]} is missing, and {len(bad)} in all; give it a "
            "category, or pass missing='drop'."
        )

    return places_among(category_texts(table[name]), known) + OTHER + 1
