"""fill_missing: every value of one series, filled as asked or refused."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.times import show_time
from lightning_tf.exceptions import DataError


def fill_missing(
    rows: Any, labels: Any, time: str, columns: list[str], missing: str | float
) -> tuple[Any, int]:
    """Return the rows of one series with every value, and how many were missing.

    Args:
        rows: A DataFrame in ascending time, NaN where a value is missing.
        labels: The numbers of the rows in the table, for messages.
        time: The time column.
        columns: Those to fill.
        missing: As of `SeriesColumns`.

    Raises:
        DataError: A value is missing and cannot be filled; names it.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"t": [0, 1, 10], "y": [0.0, np.nan, 10.0]})
        >>> fill_missing(rows, rows.index, "t", ["y"], "interpolate")[0].y.tolist()
        [0.0, 1.0, 10.0]
    """
    cells = rows[columns]
    count = int(cells.isna().to_numpy().sum())
    if not count:
        return rows, 0

    if missing == "ffill":
        cells = cells.ffill()
    elif missing == "interpolate":
        times = _seconds(rows[time].to_numpy())
        cells = cells.apply(lambda column: _on_a_line(times, column.to_numpy()), raw=False)
    elif missing != "error":
        cells = cells.fillna(float(missing))

    bad = np.argwhere(cells.isna().to_numpy())
    if len(bad):
        place, column = bad[0]
        row = labels[place] if len(labels) == len(rows) else place
        remedy = "fill it, or pass missing='ffill', 'interpolate' or a number"
        if missing != "error":
            remedy = f"missing={missing!r} has no value before it; leave the row out"
        raise DataError(
            f"{columns[column]} of row {row} ({time} {show_time(rows[time].iloc[place])}) is "
            f"missing or infinite, and {len(bad)} values in all; {remedy}."
        )
    return rows.assign(**{column: cells[column] for column in columns}), count


def _seconds(times: NDArray[Any]) -> NDArray[np.float64]:
    since: NDArray[Any] = times - times[0]
    return since.astype("m8[ns]").astype(float) if times.dtype.kind == "M" else since.astype(float)


def _on_a_line(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with those in between on lines in time, and the last one carried on."""
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return values
    filled = np.interp(times, times[known], values[known])
    filled[: known[0]] = np.nan
    filled[known] = values[known]
    return filled
