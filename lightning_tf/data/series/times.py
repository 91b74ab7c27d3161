"""The time column of a table of series: read, ordered, and checked for gaps."""

import re
from typing import Any

import numpy as np

from lightning_tf.exceptions import ConfigurationError, DataError


def parse_times(column: Any, time_format: str | None) -> Any:
    """Read a time column as numbers or datetimes.

    Args:
        column: A pandas Series. Numbers stay numbers where no format is given.
        time_format: As `pandas.to_datetime` takes it; None lets pandas find out.

    Raises:
        DataError: Names the first row that is missing or cannot be read.
    """
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(column)
    if pd.api.types.is_datetime64_any_dtype(column) or (numeric and time_format is None):
        times = column
    else:
        try:
            texts = column.astype(str).where(column.notna())
            times = pd.to_datetime(texts, format=time_format, errors="coerce")
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{column.name} cannot be read with time_format={time_format!r}: {error}"
            ) from error

    bad = np.flatnonzero(times.isna().to_numpy())
    if len(bad):
        raise DataError(
            f"{column.name} of row {bad[0]} is {column.iloc[bad[0]]!r}, no time that can be read "
            f"with time_format={time_format!r}; correct it or give its format."
        )
    return times


def order_rows(table: Any, series: str | None, time: str, sort: bool) -> Any:
    """Order the rows of a table series by series, each in ascending time.

    Args:
        table: A DataFrame whose row numbers are those that messages name.
        series: The column of the series' names, or None.
        time: The time column.
        sort: Whether rows may be put in order; otherwise disorder is an error.

    Raises:
        DataError: A series' times do not ascend, or one comes twice; names the row.
    """
    by = [time] if series is None else [series, time]
    if sort:
        table = table.sort_values(by, kind="stable")
    elif series is not None:
        table = table.sort_values(series, kind="stable")  # keeps the order inside each series

    # Between neighbors, as long as both are of one series.
    times = table[time].to_numpy()
    wrong = times[1:] <= times[:-1]
    if series is not None:
        names = table[series].to_numpy()
        wrong = wrong & (names[1:] == names[:-1])
    bad = np.flatnonzero(wrong)
    if not len(bad):
        return table

    place = bad[0] + 1

    row, before = table.index[place], table.index[place - 1]
    of = "" if series is None else f" of series {table[series].iloc[place]!r}"
    if times[place] == times[place - 1]:
        raise DataError(
            f"{time} {_show(times[place])}{of} stands in rows {before} and {row}; a time may come "
            "once. Remove one, or name the column that tells series apart with series=."
        )

    raise DataError(
        f"{time}{of} goes back from {_show(times[place - 1])} in row {before} to "
        f"{_show(times[place])} in row {row}; sort the table, or pass sort=True."
    )


def regularize(rows: Any, time: str, frequency: Any, fills: bool) -> Any:
    """Return one series whose times follow a frequency.

    Args:
        rows: The rows of one series, in ascending time.
        time: The time column.
        frequency: A pandas offset such as ``W-SAT`` for datetimes, a number for numbers.
        fills: Whether rows that are missing are put in, empty; otherwise a gap is an error.

    Raises:
        ConfigurationError: The frequency is none.
        DataError: A row is early or late; names it.
    """
    import pandas as pd

    times = rows[time]
    first, last = times.iloc[0], times.iloc[-1]
    try:
        if pd.api.types.is_numeric_dtype(times):
            steps = round(float((last - first) / float(frequency)))
            expected = pd.Index(first + np.arange(steps + 1) * float(frequency))
        else:
            expected = pd.date_range(first, last, freq=frequency)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"frequency={frequency!r} does not go with the column {time}: {error}"
        ) from error

    stray = np.flatnonzero(~times.isin(expected).to_numpy())
    if len(stray):
        raise DataError(
            f"{time} {_show(times.iloc[stray[0]])} in row {rows.index[stray[0]]} is not on "
            f"frequency={frequency!r}; correct it, or pass frequency=None for irregular times."
        )

    # A row too much was refused above: what is left to differ are rows too few.
    gaps = expected[~expected.isin(times)]
    if not len(gaps):
        return rows
    if not fills:
        row = rows.index[int(np.searchsorted(times.to_numpy(), gaps[:1].to_numpy())[0])]
        raise DataError(
            f"{time} {_show(gaps[0])} is missing before row {row}, and {len(gaps)} times in all; "
            "pass missing='interpolate', 'ffill' or a number to fill them, or frequency=None for "
            "irregular times."
        )

    filled = rows.set_index(time).reindex(expected)
    filled.index.name = time
    return filled.reset_index()


def _show(time: Any) -> str:
    """Return a time as a message shows it: without zeros of an hour that nobody gave."""
    return re.sub(r"[T ]00:00:00(\.0+)?$", "", str(time))
