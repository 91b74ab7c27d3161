"""NumberFormat: how numbers are written in columns of text, and what stands for a missing one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError, DataError

# What pandas takes as missing. In a column of numbers so do we; among names they are names: a
# country "NA", a grade "None".
MISSING_WORDS = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"}
MISSING_WORDS |= {"1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
# Also 1,200 or 1 200, $5 and 3 %: most likely numbers, which only the user can read.
NEARLY = re.compile(r"[+-]?\s*[$€£¥]?\s*[+-]?\d[\d.,'\s]*[$€£¥%]?")
CODE = re.compile(r"[+-]?0\d+")  # a postcode or an article: a number is not written so


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written where they are text.

    Attributes:
        decimal: What stands before the fraction.
        thousands: What groups digits, such as the comma of 1,200; None for nothing.
        na_values: Words and numbers for a missing value, beside pandas' own words (``NA``, ...).

    Raises:
        ConfigurationError: A mark is no single character, or both are the same.

    Example:
        >>> import pandas as pd
        >>> numbers, words = NumberFormat(thousands=",").read(pd.Series(["1,200", "NA", "?"]))
        >>> numbers.tolist(), words.tolist()
        ([1200.0, nan, nan], [False, False, True])
    """

    decimal: str = "."
    thousands: str | None = None
    na_values: Sequence[str | float] = ()

    def __post_init__(self) -> None:
        """Check the marks."""
        for name, mark in (("decimal", self.decimal), ("thousands", self.thousands)):
            if mark is not None and (not isinstance(mark, str) or len(mark) != 1):
                raise ConfigurationError(f"{name}={mark!r} must be one character.")
        if self.decimal == self.thousands:
            raise ConfigurationError(f"decimal and thousands are both {self.decimal!r}.")
        if isinstance(self.na_values, (str, float, int)):
            object.__setattr__(self, "na_values", (self.na_values,))

    def csv_options(self) -> dict[str, Any]:
        """Return how `pandas.read_csv` reads such numbers, and leaves words to `read`.

        "NA" may be a country and "None" a grade: only columns of numbers know that such words are
        missing values.
        """
        return {
            "decimal": self.decimal,
            "thousands": self.thousands,
            "keep_default_na": False,
            "na_values": ["", *self.na_values],
        }

    def without_missing(self, table: Any) -> Any:
        """Return a DataFrame in which cells that `na_values` names are missing.

        Example:
            >>> import pandas as pd
            >>> table = pd.DataFrame({"a": [-999, 1]})
            >>> int(NumberFormat(na_values=-999).without_missing(table).a.sum())
            1
        """
        import pandas as pd

        if not self.na_values:
            return table
        words = [*self.na_values, *map(str, self.na_values)]
        numbers = pd.to_numeric(pd.Series(words, dtype=object), errors="coerce").dropna()
        return table.mask(table.isin([*words, *numbers]))

    def read(self, column: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the numbers of a column, NaN where there is none, and where words stand.

        Args:
            column: A pandas Series of any dtype. Durations count in seconds.

        Raises:
            DataError: The numbers are complex.
        """
        import pandas as pd

        kind = column.dtype.kind
        if kind == "c":
            raise DataError(
                f"{column.name} has complex numbers; make columns of their parts, such as .real."
            )
        if kind == "m":
            return (column / pd.Timedelta(seconds=1)).to_numpy(np.float64), _none(column)
        if pd.api.types.is_numeric_dtype(column) and column.dtype != object:
            return column.to_numpy(np.float64, na_value=np.nan), _none(column)

        # Each different cell once: columns of text repeat themselves.
        codes, cells = pd.factorize(column, use_na_sentinel=True)
        pairs = [self._number(cell) for cell in cells]
        numbers = np.array([number for number, _ in pairs] + [np.nan], np.float64)
        words = np.array([is_word for _, is_word in pairs] + [False], bool)
        return numbers[codes], words[codes]  # a missing cell has code -1: the last place

    def _number(self, cell: Any) -> tuple[float, bool]:
        """Return the number of a cell, and whether it is a word instead."""
        text = cell_text(cell).strip()
        if text in MISSING_WORDS:
            return np.nan, False

        if self.thousands is not None and self.thousands in text:
            whole = text.split(self.decimal)[0].lstrip("+-")
            groups = whole.split(self.thousands)
            if any(len(group) != 3 for group in groups[1:]) or not 1 <= len(groups[0]) <= 3:
                return np.nan, True  # 12,5 is no number with groups of three digits
            text = text.replace(self.thousands, "")
        if self.decimal != "." and isinstance(cell, (str, bytes)):
            text = text.replace(".", "x").replace(self.decimal, ".")
        if not PLAIN.fullmatch(text):
            return np.nan, True
        return float(text), False


def first_word(column: Any, words: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Return the row and the cell of the first word among a column's numbers."""
    place = int(words.argmax())
    return column.index[place], column.iloc[place]


def has_text(column: Any) -> bool:
    """Return whether a column has cells of text."""
    return any(isinstance(cell, (str, bytes)) for cell in column.dropna().unique())


def nearly_numbers(column: Any) -> int:
    """Return how many cells of a column look like numbers, in whatever format.

    Example:
        >>> import pandas as pd
        >>> nearly_numbers(pd.Series(["1,200", "$5", "3 %", "Ulm", None]))
        3
    """
    counts = column.value_counts()
    return sum(
        int(count) for cell, count in counts.items() if NEARLY.fullmatch(cell_text(cell).strip())
    )


def has_codes(column: Any) -> bool:
    """Return whether a column of text has numbers with leading zeros: 01067 is a name."""
    return any(
        isinstance(cell, (str, bytes)) and CODE.fullmatch(cell_text(cell).strip())
        for cell in column.dropna().unique()
    )


def cell_text(cell: Any) -> str:
    """Return a cell as text; bytes are UTF-8."""
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def _none(column: Any) -> NDArray[np.bool_]:
    return np.zeros(len(column), bool)
