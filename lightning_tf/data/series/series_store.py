"""SeriesStore: one or several time series, one after the other in one array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.times import order_rows, parse_times, regularize
from lightning_tf.data.sources.table_file import check_columns, table_name
from lightning_tf.exceptions import DataError


@dataclass(frozen=True)
class SeriesStore:
    """Every value of the series, checked.

    Attributes:
        values: Float32 of shape (rows, channels): the targets first, then the features that are
            known up to now only, then those that are known in the future too.
        times: The time of every row, shape (rows,): datetimes or numbers.
        starts: Where each series begins, and at the end the number of rows; shape (series + 1,).
        names: Of the series.
        targets: Names of the target columns.
        unknown: Names of the features whose future is not known.
        known: Names of the features whose future is known.

    Example:
        >>> x = np.zeros((9, 2), np.float32)
        >>> store = SeriesStore(x, np.arange(9), np.array([0, 4, 9]), ("a", "b"), ("y",), ("z",))
        >>> store.series_of(np.array([0, 3, 4])).tolist()
        [0, 0, 1]
    """

    values: NDArray[np.float32]
    times: NDArray[Any]
    starts: NDArray[np.int64]
    names: tuple[str, ...]
    targets: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def series_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the series that each row belongs to."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    @property
    def target_values(self) -> NDArray[np.float32]:
        """Return the target columns, a view of shape (rows, targets)."""
        return self.values[:, : len(self.targets)]


def read_series(table: Any, columns: SeriesColumns, data: Any = None) -> SeriesStore:
    """Read the series of a table.

    Args:
        table: A DataFrame with rows numbered from 0; a numbered row in a message is one of it.
        columns: What each column is.
        data: What the table was read from, for messages.

    Raises:
        DataError: A column is missing or no numbers, times do not ascend, or values are missing.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"day": [1, 2, 3], "price": [5.0, 7.0, 6.0]})
        >>> read_series(table, SeriesColumns(time="day")).targets
        ('price',)
    """
    name = table_name(data)
    roles = dict(columns.roles)
    check_columns(table, name, roles)
    roles["target"] = roles["target"] or [_only_target(table, name, roles)]

    table = table.copy(deep=False)  # the user's own DataFrame stays as it is
    time = columns.time or "row"
    if columns.time is None:
        time = "row number"  # as messages call it
        ids = table.groupby(columns.series, sort=False) if columns.series else None
        table[time] = np.arange(len(table)) if ids is None else ids.cumcount()
    else:
        table[time] = parse_times(table[time], columns.time_format)

    if columns.series is not None:
        _refuse_missing(table, columns.series)
        table[columns.series] = table[columns.series].astype(str)

    # Values are checked in time's order, so that a fill takes the value before.
    table = order_rows(table, columns.series, time, columns.sort)

    values = [*roles["target"], *roles["unknown"], *roles["known"]]
    for column in values:
        _refuse_words(table, column)

    # Series by series: neither a gap nor a fill reaches into the next one.
    groups = [("", table)] if columns.series is None else table.groupby(columns.series, sort=False)
    tables = {str(key): _fill(rows, time, values, columns) for key, rows in groups}
    return SeriesStore(
        np.concatenate([rows[values].to_numpy(np.float32) for rows in tables.values()]),
        np.concatenate([rows[time].to_numpy() for rows in tables.values()]),
        np.cumsum([0, *(len(rows) for rows in tables.values())]).astype(np.int64),
        tuple(tables),
        tuple(roles["target"]),
        tuple(roles["unknown"]),
        tuple(roles["known"]),
    )


def _only_target(table: Any, name: str, roles: dict[str, list[str]]) -> str:
    named = {column for columns in roles.values() for column in columns}
    free = [c for c in table.select_dtypes("number").columns if c not in named]
    if len(free) != 1:
        raise DataError(
            f"{name} has {len(free)} columns of numbers that could be forecast "
            f"({', '.join(map(str, free)) or 'none'}); name one or several with target=."
        )
    return str(free[0])


def _refuse_missing(table: Any, column: str) -> None:
    bad = np.flatnonzero(table[column].isna().to_numpy())
    if len(bad):
        raise DataError(f"{column} of row {table.index[bad[0]]} is missing; give every row one.")


def _refuse_words(table: Any, column: str) -> None:
    import pandas as pd

    cells = table[column]
    if pd.api.types.is_numeric_dtype(cells):
        return

    # A column of objects whose cells all are numbers is refused at its first row.
    bad = np.flatnonzero((pd.to_numeric(cells, errors="coerce").isna() & cells.notna()).to_numpy())
    row = bad[0] if len(bad) else 0
    raise DataError(
        f"{column} of row {table.index[row]} is {cells.iloc[row]!r}, no number; correct it, or "
        "leave the column out."
    )


def _fill(rows: Any, time: str, values: list[str], columns: SeriesColumns) -> Any:
    """Return the rows of one series with every time and every value."""
    fills = columns.missing != "error"
    numbers = rows.index  # of the rows in the table, for messages
    if columns.frequency is not None:
        rows = regularize(rows, time, columns.frequency, fills)

    cells = rows[values].astype(float).replace([np.inf, -np.inf], np.nan)
    if columns.missing == "ffill":
        cells = cells.ffill()
    elif columns.missing == "interpolate":
        cells = cells.interpolate(limit_area="inside").ffill()
    elif fills:
        cells = cells.fillna(float(columns.missing))

    bad = np.argwhere(cells.isna().to_numpy())
    if len(bad):
        place, column = bad[0]
        row = numbers[place] if len(numbers) == len(rows) else place
        remedy = "fill it, or pass missing='ffill', 'interpolate' or a number"
        if fills:
            remedy = f"missing={columns.missing!r} has no value before it; leave the row out"
        raise DataError(
            f"{values[column]} of row {row} ({time} {rows[time].iloc[place]}) is missing or "
            f"infinite, and {len(bad)} values in all; {remedy}."
        )
    return rows.assign(**{column: cells[column] for column in values})
