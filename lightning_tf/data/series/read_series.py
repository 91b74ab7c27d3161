"""read_series: the series of a table, joined by their names and times."""

import logging
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.missing_values import fill_missing
from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.series_numbers import read_numbers
from lightning_tf.data.series.series_reading import SeriesReading
from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.data.series.table_index import name_columns, reads_as_dates
from lightning_tf.data.series.time_reading import TimeReading
from lightning_tf.data.series.times import infer_frequency, order_rows, regularize, show_time
from lightning_tf.data.sources.table_file import check_columns, table_name
from lightning_tf.exceptions import ConfigurationError, DataError

_log = logging.getLogger(__name__)

ROW = "row number"  # as messages call the time of rows that have none
MOST_NAMES = 5  # in a line of the log


@dataclass
class Notes:
    """What the log tells beside the sizes.

    Attributes:
        time: How the times were found.
        sorted: Whether rows were put in order.
        filled: How many values were missing.
        left_out: Columns without a role.
    """

    time: str = ""
    sorted: bool = False
    filled: int = 0
    left_out: tuple[str, ...] = ()


def read_series(table: Any, columns: SeriesColumns, data: Any = None) -> SeriesStore:
    """Read the series of a table, and tell in the log what was read.

    Args:
        table: A DataFrame; a row in a message is numbered from 0.
        columns: What each column is.
        data: What the table was read from, for messages.

    Raises:
        ConfigurationError: There is a frequency and no time.
        DataError: A column is missing or no numbers, times do not ascend, or values are missing.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"day": [1, 2, 3], "price": [5.0, 7.0, 6.0]})
        >>> read_series(table, SeriesColumns(time="day")).targets
        ('price',)
    """
    notes = Notes()
    table, columns = _find_roles(table, columns, data, notes)
    series = next(iter(columns.roles["series"]), None)
    time = None
    if columns.roles["time"]:
        cells = table[columns.roles["time"][0]]
        names = None if series is None else table[series]
        time = TimeReading.find(cells, columns.time_format, names)

    frequency = columns.frequency
    if isinstance(frequency, np.timedelta64):  # which pandas takes for a number
        frequency = frequency.astype("m8[us]").item()
    reading = SeriesReading(time, series, frequency, None, columns.missing)
    store = read_rows(table, columns, reading, notes)
    store = replace(store, reading=_with_step(store, reading))
    _tell(store, table_name(data), notes)
    return store


def read_rows(
    table: Any, columns: SeriesColumns, reading: SeriesReading, notes: Notes | None = None
) -> SeriesStore:
    """Read a table whose columns have their roles and whose times are read in a known way.

    Args:
        table: A DataFrame whose columns have texts as names.
        columns: What each column is; `sort` says whether rows are put in order.
        reading: How it is read.
        notes: Gets what was done.

    Raises:
        DataError: As `read_series`.
    """
    notes = notes or Notes()
    roles, series = columns.roles, reading.series
    values = [*roles["target"], *roles["unknown"], *roles["known"]]
    time = reading.time.name if reading.time else ROW

    rows = {} if series is None else {series: series_names(table[series])}
    rows[time] = reading.time.read(table[time]) if reading.time else _row_numbers(table, rows)
    numbers = {column: read_numbers(table[column]) for column in values}
    frame = _frame({**rows, **numbers}, table.index)

    # Values are checked in time's order, so that a fill takes the value before.
    ordered = order_rows(frame, series, time, bool(columns.sort))
    notes.sorted = bool(columns.sort) and _is_reordered(ordered, series)

    # Series by series: neither a gap nor a fill reaches into the next one.
    pieces = [("", ordered)] if series is None else ordered.groupby(series, sort=False)
    tables, zone = {}, reading.time.zone if reading.time else None
    for name, piece in pieces:
        labels = piece.index  # of the rows in the table, for messages
        if reading.frequency is not None:
            fills = reading.missing != "error"
            piece = regularize(piece, time, reading.frequency, fills, zone)
        tables[str(name)], count = fill_missing(piece, labels, time, values, reading.missing)
        notes.filled += count

    cells = np.concatenate([piece[values].to_numpy(np.float64) for piece in tables.values()])
    return SeriesStore(
        _narrow(cells),
        np.concatenate([piece[time].to_numpy() for piece in tables.values()]),
        np.cumsum([0, *map(len, tables.values())]).astype(np.int64),
        tuple(tables),
        tuple(roles["target"]),
        tuple(roles["unknown"]),
        tuple(roles["known"]),
        reading,
    )


def series_names(column: Any) -> Any:
    """Return the names of series as texts; a whole number is one whatever its type.

    Raises:
        DataError: One is missing; names the row.
    """
    import pandas as pd

    bad = np.flatnonzero(column.isna().to_numpy())
    if len(bad):
        raise DataError(
            f"{column.name} of row {column.index[bad[0]]} is missing; give every row one."
        )
    if pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype(np.int64)  # 1.0, where another table has 1
    return column.astype(str)


def _find_roles(
    table: Any, columns: SeriesColumns, data: Any, notes: Notes
) -> tuple[Any, SeriesColumns]:
    """Return the table with all names as columns, and every role that a column has."""
    name, wanted = table_name(data), columns.roles["time"]
    table, columns, from_index = name_columns(table, columns, data)
    check_columns(table, name, columns.roles)
    if not wanted and columns.roles["time"]:
        notes.time = " of the index"
    named = {column for role in columns.roles.values() for column in role}
    free = [column for column in table if column not in named]

    dates = [] if columns.roles["time"] else [c for c in free if reads_as_dates(table[c])]
    if len(dates) == 1:
        columns = replace(columns, time=dates[0])
        notes.time = ", the only column of dates,"
        free.remove(dates[0])
    elif dates:
        _log.warning(
            "%s: %s read as dates and none is named with time=: rows are taken as they stand.",
            name,
            ", ".join(dates),
        )
    if columns.frequency is not None and not columns.roles["time"]:
        raise ConfigurationError(
            f"frequency={columns.frequency!r} is of a time column; name it with time=."
        )

    if not columns.roles["target"]:
        columns = replace(columns, target=[_only_target(table[free], name)])
        free.remove(columns.target[0])
    notes.left_out = tuple(free)
    if columns.sort is None:
        columns = replace(columns, sort=bool(set(columns.roles["time"]) & set(from_index)))
    return table, columns


def _only_target(table: Any, name: str) -> str:
    free = list(table.select_dtypes("number").columns)
    if len(free) != 1:
        raise DataError(
            f"{name} has {len(free)} columns of numbers that could be forecast "
            f"({', '.join(free) or 'none'}); name one or several with target=."
        )
    return str(free[0])


def _row_numbers(table: Any, rows: dict[str, Any]) -> Any:
    for names in rows.values():  # of the series, where there are several
        return names.groupby(names, sort=False).cumcount()
    return np.arange(len(table))


def _frame(columns: dict[str, Any], index: Any) -> Any:
    import pandas as pd

    return pd.DataFrame({name: np.asarray(cells) for name, cells in columns.items()}, index=index)


def _is_reordered(ordered: Any, series: str | None) -> bool:
    back = np.diff(ordered.index.to_numpy()) < 0
    if series is not None:
        names = ordered[series].to_numpy()
        back = back & (names[1:] == names[:-1])
    return bool(back.any())


def _narrow(values: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return float32 where it holds every value; windows are then half as large."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values) else values


def _with_step(store: SeriesStore, reading: SeriesReading) -> SeriesReading:
    """Return the reading with the step that all series follow, where they do."""
    if reading.time is None:
        return reading
    if reading.frequency is not None:
        plain = _plain(reading.frequency)
        return replace(reading, frequency=plain, step=plain)
    steps = {
        infer_frequency(store.times[start:end], reading.time.zone)
        for start, end in zip(store.starts[:-1], store.starts[1:], strict=True)
    }
    return replace(reading, step=steps.pop() if len(steps) == 1 else None)


def _plain(frequency: Any) -> Any:
    """Return a frequency as text or number, which a checkpoint can hold."""
    import pandas as pd

    if isinstance(frequency, str):
        return frequency
    return (
        float(frequency)
        if isinstance(frequency, Real)
        else pd.tseries.frequencies.to_offset(frequency).freqstr
    )


def _tell(store: SeriesStore, name: str, notes: Notes) -> None:
    """Tell in one line what was read."""
    reading, count = store.reading, len(store.names)
    several = f"{count} series ({_some(store.names)}), " if reading.series else ""
    parts = [f"{several}{len(store.values)} rows"]
    if reading.time is not None:
        times = show_time(store.times.min()), show_time(store.times.max())
        zone = f" in UTC (given in {reading.time.zone})" if reading.time.zone else ""
        format = f", read as {reading.time.format}" if reading.time.format else ""
        parts.append(f"{reading.time.name}{notes.time} from {times[0]} to {times[1]}{zone}{format}")
        parts.append(f"step {reading.step}" if reading.step is not None else "no fixed step")
    else:
        parts.append("no times: rows are taken as they stand")
    if notes.sorted:
        parts.append("rows put in order of time")
    if notes.filled:
        parts.append(f"{notes.filled} missing values filled (missing={reading.missing!r})")
    roles = {role: getattr(store, role) for role in ("targets", "known", "unknown")}
    parts += [f"{role}: {_some(names)}" for role, names in roles.items() if names]
    if notes.left_out:
        parts.append(f"left out, without a role: {_some(notes.left_out)}")
    _log.info("%s: %s.", name, "; ".join(parts))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
