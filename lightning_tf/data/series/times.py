"""The times of a table of series: put in order, and checked for gaps."""

import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError, DataError


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
        clock = table[time].dtype.kind == "M" and times[place] != times[place].astype("M8[D]")
        raise DataError(
            f"{time} {show_time(times[place])}{of} stands in rows {before} and {row}; a time may "
            "come once. Remove one, or name the column that tells series apart with series=."
            + " An hour that comes twice when summer time ends needs times in UTC."
            * bool(clock)
        )

    raise DataError(
        f"{time}{of} goes back from {show_time(times[place - 1])} in row {before} to "
        f"{show_time(times[place])} in row {row}; sort the table, or pass sort=True."
    )


def regularize(rows: Any, time: str, frequency: Any, fills: bool, zone: str | None = None) -> Any:
    """Return one series whose times follow a frequency.

    Args:
        rows: The rows of one series, in ascending time.
        time: The time column; datetimes in UTC where there is a zone.
        frequency: A pandas offset such as ``W-SAT`` for datetimes, a number for numbers.
        fills: Whether rows that are missing are put in, empty; otherwise a gap is an error.
        zone: In which days and months of the frequency begin.

    Raises:
        ConfigurationError: The frequency is none.
        DataError: A row is early or late; names it.
    """
    times = rows[time].to_numpy()
    try:
        expected, places = _places(times, frequency, zone)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError(
            f"frequency={frequency!r} does not go with the column {time}: {error}"
        ) from error

    stray = np.flatnonzero(places < 0)
    if len(stray):
        raise DataError(
            f"{time} {show_time(times[stray[0]])} in row {rows.index[stray[0]]} is not on "
            f"frequency={frequency!r}; correct it, or pass frequency=None for irregular times."
        )

    # A row too much was refused above: what is left to differ are rows too few.
    gaps = np.setdiff1d(np.arange(len(expected)), places)
    if not len(gaps):
        return rows
    if not fills:
        row = rows.index[int(np.searchsorted(places, gaps[0]))]
        raise DataError(
            f"{time} {show_time(expected[gaps[0]])} is missing before row {row}, and {len(gaps)} "
            "times in all; pass missing='interpolate', 'ffill' or a number to fill them, or "
            "frequency=None for irregular times."
        )

    filled = rows.set_axis(places).reindex(np.arange(len(expected)))
    filled[time] = expected
    return filled


def next_times(last: Any, frequency: Any, steps: int, zone: str | None = None) -> NDArray[Any]:
    """Return the times of the rows after one.

    Example:
        >>> next_times(np.datetime64("2020-01-31"), "ME", 2).astype("M8[D]").astype(str).tolist()
        ['2020-02-29', '2020-03-31']
    """
    import pandas as pd

    if not isinstance(last, np.datetime64):
        times: NDArray[Any] = last + np.arange(1, steps + 1) * float(frequency)
        return times
    dates = pd.date_range(_in_zone(last, zone), periods=steps + 1, freq=frequency)
    return _in_utc(dates)[1:]


def infer_frequency(times: NDArray[Any], zone: str | None = None) -> Any:
    """Return the frequency that all times of a series follow, None where there is none.

    Example:
        >>> infer_frequency(np.array([1.0, 1.5, 2.0]))
        0.5
    """
    import pandas as pd

    if len(times) < 3:
        return None
    if times.dtype.kind == "M":
        index = pd.DatetimeIndex(times)
        index = index if zone is None else index.tz_localize("UTC").tz_convert(zone)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas 3 announces another type of the same
            found = pd.infer_freq(index)
        return getattr(found, "freqstr", found)
    steps = np.diff(times)
    step = float(np.median(steps))
    return step if np.allclose(steps, step, rtol=1e-6, atol=0) else None


def show_time(time: Any) -> str:
    """Return a time as a message shows it: without zeros of an hour that nobody gave."""
    return re.sub(r"[T ]00:00:00(\.0+)?$|(?<=:\d\d)\.0+$", "", str(time).replace("T", " "))


def _places(times: NDArray[Any], frequency: Any, zone: str | None) -> tuple[Any, Any]:
    """Return the times of the frequency, and the place of each row among them, -1 for none."""
    import pandas as pd

    if times.dtype.kind == "M":
        first, last = _in_zone(times[0], zone), _in_zone(times[-1], zone)
        expected = _in_utc(pd.date_range(first, last, freq=frequency)).astype(times.dtype)
        return expected, pd.Index(expected).get_indexer(times)

    step = float(frequency)
    if not step > 0:
        raise ValueError("it must be above 0")
    # Of float steps, such as 0.1, sums are never exact: the nearest place counts, as
    # close as decimals are written.
    exact = (times - times[0]) / step
    places = np.round(exact).astype(np.int64)
    off = np.abs(exact - places) > 1e-3 + 4 * np.finfo(float).eps * np.abs(times) / step
    places[off | np.append(False, np.diff(places) == 0)] = -1
    expected = times[0] + np.arange(max(0, places[-1]) + 1) * step
    kept = places[places >= 0]
    expected[kept] = times[places >= 0]
    return expected, places


def _in_zone(time: Any, zone: str | None) -> Any:
    import pandas as pd

    stamp = pd.Timestamp(time)
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


def _in_utc(dates: Any) -> NDArray[Any]:
    dates = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
    return np.asarray(dates.to_numpy())
