"""The rows that a forecast starts from, and those known of its future, joined by their names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.read_series import read_rows, series_names
from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.series_numbers import read_numbers
from lightning_tf.data.series.series_reading import SeriesReading
from lightning_tf.data.series.table_index import name_columns, reads_as_dates
from lightning_tf.data.series.tables import as_table
from lightning_tf.data.series.time_reading import TimeReading
from lightning_tf.data.series.times import next_times, show_time
from lightning_tf.data.sources.table_file import is_frame, is_records
from lightning_tf.exceptions import DataError, nearest
from lightning_tf.tasks.time_series_forecast.series_spec import SeriesSpec

Rows = NDArray[np.float64]


class History(NamedTuple):
    """The rows of one series before a forecast.

    Attributes:
        values: Of shape (rows, channels), the latest last.
        times: Of these rows; None where they are an array.
        reading: How other rows of the same data are read.
        series: Its number among the series of the data.
    """

    values: Rows
    times: NDArray[Any] | None
    reading: SeriesReading
    series: int


def history_rows(
    spec: SeriesSpec, reading: SeriesReading, history: Any, series: Any, window: int
) -> History:
    """Return the rows of one series, in order of time.

    A table is joined by its names: rows of other series are left out, rows are put in order of
    time, and read, with gaps and missing values, as those of the fit were. An array has no names:
    it holds rows of one series, the latest last.

    Args:
        spec: The series and columns of the data.
        reading: How the table of the fit was read.
        history: A table or an array.
        series: The name of one, where there are several.
        window: Rows that the network sees.

    Raises:
        DataError: A column or a series is missing or unknown, times come twice, are in another
            kind of zone or leave a gap, or there are too few rows.
    """
    if not is_table(history):
        number = _series_number(spec.series, series)
        rows = array_rows("history", history, spec.channels)
        _check_length(len(rows), window)
        return History(rows, None, reading, number)

    columns = _roles(reading, targets=spec.channels)
    table, reading = _joinable(
        "history", _unnamed_as(history, spec.channels), columns, reading, spec.series
    )
    table, number = _of_series(table, reading, spec.series, series)
    try:
        # Those of the channels, in their order, whatever their roles.
        roles = SeriesColumns(target=spec.channels, sort=True)
        store = read_rows(table, roles, replace(reading, series=None))
    except DataError as error:
        raise DataError(f"history: {error}") from error
    _check_length(len(store.values), window)

    times = store.times if reading.time is not None else None
    if times is not None:
        _check_steps(reading, times[-window:])
    return History(store.values.astype(np.float64), times, reading, number)


def known_rows(spec: SeriesSpec, history: History, known: Any, steps: int) -> Rows:
    """Return the features that are known of the rows after a history.

    A table is joined by time: a calendar may begin in the past and go on after the forecast. One
    without the column of series holds for all of them. An array has exactly the rows to forecast.

    Args:
        spec: The series and columns of the data.
        history: The rows before.
        known: A table or an array; None where there are no such features.
        steps: Rows to forecast.

    Returns:
        Of shape (steps, features).

    Raises:
        DataError: Features, rows or times are missing.
    """
    names = spec.known
    if not names:
        if known is not None:
            raise DataError("known= was given, and the data have no known features; leave it out.")
        return np.zeros((steps, 0))
    if known is None:
        raise DataError(
            f"{', '.join(names)} must be known for the {steps} rows to forecast; pass known=."
        )
    if not is_table(known):
        return _exactly(array_rows("known", known, names), steps)

    reading = history.reading
    columns = _roles(reading, targets=names)
    frame = _unnamed_as(known, names)
    if reading.series is not None and reading.series not in _all_names(frame):
        columns, reading = replace(columns, series=None), replace(reading, series=None)
    table, reading = _joinable("known", frame, columns, reading, spec.series)
    if reading.series is not None:
        name = spec.series[history.series]
        table = table[series_names(table[reading.series]) == name]
        if not len(table):
            raise DataError(f"known has no rows of series {name!r}; give them.")

    values = np.stack([read_numbers(table[name]) for name in names], axis=1)
    if reading.time is not None:
        places = _places_of(reading, reading.time, table, history, steps)
        values, table = values[places], table.iloc[places]
    return _exactly(_finite("known", values, names, list(table.index)), steps)


def is_table(rows: Any) -> bool:
    """Return whether rows have names: a DataFrame, a Series, arrays by column or dicts."""
    import pandas as pd

    return isinstance(rows, (pd.Series, Mapping)) or is_frame(rows) or is_records(rows)


def array_rows(what: str, array: Any, names: list[str]) -> Rows:
    """Return an array as float64 of shape (rows, columns).

    Raises:
        DataError: It has another shape, or a value is missing or infinite.
    """
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    try:
        rows = np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} is no array of numbers: {error}.") from error
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise DataError(f"{what} has shape {rows.shape}; give columns {', '.join(names)}.")
    return _finite(what, rows, names, range(len(rows)))


# ---- joining


def _roles(reading: SeriesReading, targets: list[str]) -> SeriesColumns:
    return SeriesColumns(
        target=targets, time=reading.time and reading.time.name, series=reading.series
    )


def _unnamed_as(table: Any, names: list[str]) -> Any:
    """Return a DataFrame; a Series without a name gets that of the only column."""
    import pandas as pd

    if isinstance(table, pd.Series):
        name = names[0] if table.name is None and len(names) == 1 else table.name
        return table.to_frame(name)
    return as_table(table)


def _all_names(table: Any) -> set[str]:
    return {str(name) for name in (*table.columns, *table.index.names) if name is not None}


def _joinable(
    what: str, table: Any, columns: SeriesColumns, reading: SeriesReading, series: list[str]
) -> tuple[Any, SeriesReading]:
    """Return a table that has every column that it is joined by, and how its times are read."""
    if reading.time is None or reading.time.name not in _all_names(table):
        columns = replace(columns, time=None)  # an index of another name may hold the times
    table, columns, _ = name_columns(table, columns, what)
    time = next(iter(columns.roles["time"]), None)
    if time is None and reading.time is None:  # as in a fit, the only column of dates is the time
        used = {name for names in columns.roles.values() for name in names}
        dates = [name for name in table if name not in used and reads_as_dates(table[name])]
        time = dates[0] if len(dates) == 1 else None
    if time is not None and reading.time is not None:
        table = table.rename(columns={time: reading.time.name})
    elif time is not None:  # the data of the fit had no times, these rows have
        reading = replace(reading, time=TimeReading.find(table[time]), step=None)

    wanted = [*columns.roles["target"], *([reading.time.name] if reading.time else [])]
    if reading.series is not None and len(series) > 1:
        wanted.append(reading.series)
    for name in wanted:
        if name not in table:
            raise DataError(
                f"{what} has no column {name!r}, by which its rows are joined with the data; give "
                f"it, or an array of the rows in their order.{nearest(name, table.columns)}"
            )
    if reading.series is not None and reading.series not in table:
        reading = replace(reading, series=None)
    return table, reading


def _of_series(
    table: Any, reading: SeriesReading, known: list[str], series: Any
) -> tuple[Any, int]:
    """Return the rows of one series, and its number."""
    if reading.series is None:
        return table, _series_number(known, series)

    names = series_names(table[reading.series])
    present = list(dict.fromkeys(names))
    if series is None and len(present) > 1:
        raise DataError(
            f"history has rows of several series ({', '.join(present[:5])}); name one with series=."
        )
    number = _series_number(known, present[0] if series is None else series)
    rows = table[names == known[number]]
    if not len(rows):
        raise DataError(
            f"history has no rows of series {known[number]!r}; it has {', '.join(present[:5])}."
        )
    return rows, number


def _series_number(names: list[str], series: Any) -> int:
    if series is None and len(names) == 1:
        return 0
    if series is None:
        raise DataError(f"the data have {len(names)} series; name one with series=.{_known(names)}")
    whole = isinstance(series, (float, np.floating)) and series % 1 == 0
    name = str(int(series) if whole else series)
    if name not in names:
        raise DataError(f"series={series!r} is none of the data's.{nearest(name, names)}")
    return names.index(name)


def _known(names: list[str]) -> str:
    return f" Known: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}."


# ---- times


def _check_steps(reading: SeriesReading, times: NDArray[Any]) -> None:
    """Refuse a window with a gap, where the data of the fit had none."""
    if reading.step is None or reading.time is None or len(times) < 2:
        return
    expected = next_times(times[0], reading.step, len(times) - 1, reading.time.zone)
    wrong = np.flatnonzero(~_equal(expected, times[1:]))
    if len(wrong):
        raise DataError(
            f"history has {reading.time.name} {show_time(times[wrong[0] + 1])} after "
            f"{show_time(times[wrong[0]])}, and the data a row every {reading.step!r}: "
            f"{show_time(expected[wrong[0]])} comes next; fill the gap."
        )


def _places_of(
    reading: SeriesReading, time: TimeReading, table: Any, history: History, steps: int
) -> NDArray[np.int64]:
    """Return where the rows after the history are in a table of known features."""
    name = time.name
    try:
        times = time.read(table[name]).to_numpy()
    except DataError as error:
        raise DataError(f"known: {error}") from error
    order = np.argsort(times, kind="stable")
    times = times[order]
    twice = np.flatnonzero(times[1:] == times[:-1])
    if len(twice):
        raise DataError(
            f"known has two rows of {name} {show_time(times[twice[0]])}; give one, and the column "
            "of series where they differ by it."
        )
    if history.times is None:  # an array: nothing tells when it ended
        return np.asarray(order)

    last = history.times[-1]
    if reading.step is None:
        after = order[times > last]
        if len(after) < steps:
            raise DataError(
                f"known has {len(after)} rows after the history's {name} {show_time(last)}, for "
                f"steps={steps}; give as many."
            )
        return np.asarray(after[:steps])

    expected = next_times(last, reading.step, steps, time.zone)
    places = np.minimum(np.searchsorted(times, expected), len(times) - 1)
    for shift in (0, -1):  # the nearest, from either side
        near = np.maximum(places + shift, 0)
        places = np.where(_equal(times[near], expected), near, places)
    lacking = np.flatnonzero(~_equal(times[places], expected))
    if len(lacking):
        raise DataError(
            f"known has no row for {name} {show_time(expected[lacking[0]])}, row "
            f"{lacking[0] + 1} of {steps} after the history's {show_time(last)}; give it."
        )
    return np.asarray(order[places])


def _equal(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which times are the same, but for the rounding of float steps."""
    if left.dtype.kind == "M":
        return np.asarray(left == right)
    near = np.isclose(left.astype(float), right.astype(float), rtol=1e-9, atol=1e-9)
    return np.asarray(near)


# ---- numbers


def _check_length(rows: int, window: int) -> None:
    if rows < window:
        raise DataError(f"history has {rows} rows; the network sees {window}: give as many.")


def _exactly(rows: Rows, steps: int) -> Rows:
    if len(rows) != steps:
        raise DataError(
            f"known has {len(rows)} rows for steps={steps}; give those after the history, as many "
            "as steps, or a table with their times."
        )
    return rows


def _finite(what: str, rows: Rows, names: list[str], labels: Any) -> Rows:
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{names[column]} of row {labels[row]} of {what} is missing or infinite; fill it."
        )
    return rows
