"""Dates as numbers: the parts of the calendar that a network can learn from."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError

PARTS = ("days", "year", "month", "day", "weekday", "hour")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def is_date_column(column: Any, date_format: str | None) -> bool:
    """Return whether a column holds dates: by its dtype, written as ISO 8601, or in the format.

    Args:
        column: A pandas Series.
        date_format: As of `pandas.to_datetime`; None takes ISO 8601 alone, which has one reading.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    cells = column.dropna()
    if not len(cells):
        return False
    if date_format is not None:
        return bool(pd.to_datetime(cells, format=date_format, errors="coerce").notna().all())
    # Objects of datetime.date write themselves in this form too.
    return all(ISO.fullmatch(str(cell)) for cell in cells.unique())


def date_part_names(name: str) -> list[str]:
    """Return the names of the numbers that a column of dates becomes.

    Example:
        >>> date_part_names("sold")[:2]
        ['sold.days', 'sold.year']
    """
    return [f"{name}.{part}" for part in PARTS]


def date_parts(column: Any, date_format: str | None) -> dict[str, NDArray[np.float64]]:
    """Return days since 1970 with their fraction, year, month, day, weekday (Monday 0) and hour.

    Times with a zone are taken in UTC.

    Args:
        column: A pandas Series; missing dates become NaN.
        date_format: As of `is_date_column`.

    Raises:
        DataError: Names the row that is no date.
    """
    import pandas as pd

    # Without a format pandas would guess one: 02/01/2020 has two readings.
    format = date_format or "ISO8601"
    times = pd.to_datetime(column, format=format, errors="coerce", utc=True)
    bad = np.flatnonzero((times.isna() & column.notna()).to_numpy())
    if len(bad):
        raise DataError(
            f"{column.name} of row {column.index[bad[0]]} is {column.iloc[bad[0]]!r}, no date as "
            f"in the other rows; correct it, or give date_format=."
        )

    parts = times.dt
    seconds = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    values = {
        "days": seconds / 86_400.0,
        "year": parts.year,
        "month": parts.month,
        "day": parts.day,
        "weekday": parts.day_of_week,
        "hour": parts.hour,
    }
    return {
        name: values[part].to_numpy(np.float64, na_value=np.nan)
        for name, part in zip(date_part_names(str(column.name)), PARTS, strict=True)
    }
