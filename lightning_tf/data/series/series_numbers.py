"""read_numbers: the cells of a column as float64."""

import logging
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)

MOST = 1e100  # the square of a larger number is none


def read_numbers(column: Any) -> NDArray[np.float64]:
    """Return the numbers of a column, NaN for what is missing or infinite.

    Args:
        column: A pandas Series of numbers, of nullable or plain types, or of objects that are
            numbers: integers, floats, decimals, fractions.

    Raises:
        DataError: A cell is no number, or a number beyond 1e100; names its row.

    Example:
        >>> import pandas as pd
        >>> read_numbers(pd.Series([1, None], dtype="Int64")).tolist()
        [1.0, nan]
    """
    import pandas as pd

    is_number = pd.api.types.is_numeric_dtype(column) and column.dtype.kind != "c"
    cells = column if is_number else _unboxed(column)
    numbers = np.array(cells.to_numpy(np.float64, na_value=np.nan))  # a copy, which may be filled
    numbers[~np.isfinite(numbers)] = np.nan

    large = np.flatnonzero(np.abs(numbers) > MOST)
    if len(large):
        raise DataError(
            f"{column.name} of row {column.index[large[0]]} is {numbers[large[0]]:g}, beyond "
            "1e100; correct it, or give the column in another unit."
        )
    if cells.dtype.kind in "iu":
        _tell_lost_digits(cells, numbers)
    return numbers


def _unboxed(column: Any) -> Any:
    """Return a column of objects as one of numbers."""
    import pandas as pd

    wrong = f"of type {column.dtype}"
    if column.dtype.kind == "O":
        missing = column.isna().to_numpy()
        numbers = [
            isinstance(cell, (Real, Decimal)) and not isinstance(cell, (bool, np.bool_))
            for cell in column
        ]
        bad = np.flatnonzero(~(missing | np.array(numbers)))
        if not len(bad):
            values = np.full(len(column), np.nan)
            values[~missing] = [float(cell) for cell in column[~missing]]
            return pd.Series(values)
        wrong = repr(column.iloc[bad[0]])
        # The first that is none, rather than the first of texts that could be read as numbers.
        words = np.flatnonzero(
            (pd.to_numeric(column, errors="coerce").isna() & ~missing).to_numpy()
        )
        if len(words):
            bad, wrong = words, repr(column.iloc[words[0]])
    else:
        bad = np.zeros(1, np.int64)
    raise DataError(
        f"{column.name} of row {column.index[bad[0]]} is {wrong}, no number; correct it, or "
        "leave the column out."
    )


def _tell_lost_digits(cells: Any, numbers: NDArray[np.float64]) -> None:
    if not len(numbers) or np.nanmax(np.abs(numbers), initial=0.0) < 2**53:
        return
    changes = (cells.diff().fillna(0) != 0).to_numpy(bool)[1:]
    lost = int((changes & (np.diff(numbers) == 0)).sum())
    if lost:
        _log.warning(
            "%s: %d changes of integers beyond 2**53 are lost in float64; subtract an offset.",
            cells.name,
            lost,
        )
