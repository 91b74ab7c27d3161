"""series_store: the series of a table, checked and filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightning_tf.data.series.store import SeriesStore
from lightning_tf.data.series.times import ordered, parsed_times, regular
from lightning_tf.data.sources.table_file import check_columns, described
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

MISSING = ("error", "ffill", "interpolate")


@dataclass(frozen=True)
class SeriesColumns:
    """Which columns of a table are what, and what may be done to them.

    Attributes:
        target: Columns to forecast; empty takes the only column of numbers that has no other role.
        time: The column of times; None numbers the rows.
        series: The column that tells several series apart.
        known: Features that are known in the future too: holidays, prices to come.
        unknown: Features that are known up to now only: the weather.
        time_format: As of `pandas.to_datetime`.
        frequency: What the times must follow, such as ``"W-SAT"`` or 1; None takes any ascending.
        sort: Whether rows may be put in order.
        missing: ``error``, ``ffill`` (the value before), ``interpolate`` (a line between the
            neighbours, of which one lies in the future), or a number.

    Raises:
        ConfigurationError: `missing` is unknown, or a column has two roles.
    """

    target: Sequence[str] = ()
    time: str | None = None
    series: str | None = None
    known: Sequence[str] = ()
    unknown: Sequence[str] = ()
    time_format: str | None = None
    frequency: Any = None
    sort: bool = False
    missing: str | float = "error"
    roles: dict[str, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check what can be checked without a table."""
        number = isinstance(self.missing, (int, float)) and not isinstance(self.missing, bool)
        if not number and self.missing not in MISSING:
            hint = nearest(self.missing, MISSING)
            raise ConfigurationError(f"missing={self.missing!r}: give a name or a number.{hint}")
        if self.frequency is not None and self.time is None:
            raise ConfigurationError(
                f"frequency={self.frequency!r} is of a time column; name it with time=."
            )
        for role in ("target", "known", "unknown", "time", "series"):
            given = getattr(self, role)
            self.roles[role] = [given] if isinstance(given, str) else list(given or ())
        every = [column for columns in self.roles.values() for column in columns]
        twice = sorted({column for column in every if every.count(column) > 1})
        if twice:
            raise ConfigurationError(f"column {twice[0]!r} has two roles; give it one.")


def series_store(table: Any, columns: SeriesColumns, data: Any = None) -> SeriesStore:
    """Read the series of a table.

    Args:
        table: A DataFrame with rows numbered from 0; a numbered row in a message is one of it.
        columns: What is what.
        data: What the table was read from, for messages.

    Raises:
        DataError: A column is missing or no numbers, times do not ascend, or values are missing.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"day": [1, 2, 3], "price": [5.0, 7.0, 6.0]})
        >>> series_store(table, SeriesColumns(time="day")).targets
        ('price',)
    """
    name = described(data)
    roles = dict(columns.roles)
    check_columns(table, name, roles)
    roles["target"] = roles["target"] or [_only_target(table, name, roles)]
    table = table.copy(deep=False)
    time = columns.time or "row"
    if columns.time is None:
        time = "row number"
        ids = table.groupby(columns.series, sort=False) if columns.series else None
        table[time] = np.arange(len(table)) if ids is None else ids.cumcount()
    else:
        table[time] = parsed_times(table[time], columns.time_format)
    if columns.series is not None:
        _refuse_missing(table, columns.series)
        table[columns.series] = table[columns.series].astype(str)
    table = ordered(table, columns.series, time, columns.sort)
    values = [*roles["target"], *roles["unknown"], *roles["known"]]
    for column in values:
        _refuse_words(table, column)
    groups = [("", table)] if columns.series is None else table.groupby(columns.series, sort=False)
    parts = {str(key): _filled(part, time, values, columns) for key, part in groups}
    return SeriesStore(
        np.concatenate([part[values].to_numpy(np.float32) for part in parts.values()]),
        np.concatenate([part[time].to_numpy() for part in parts.values()]),
        np.cumsum([0, *(len(part) for part in parts.values())]).astype(np.int64),
        tuple(parts),
        tuple(roles["target"]),
        tuple(roles["unknown"]),
        tuple(roles["known"]),
    )


def _only_target(table: Any, name: str, roles: dict[str, list[str]]) -> str:
    taken = {column for columns in roles.values() for column in columns}
    free = [c for c in table.select_dtypes("number").columns if c not in taken]
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
    bad = np.flatnonzero((pd.to_numeric(cells, errors="coerce").isna() & cells.notna()).to_numpy())
    row = bad[0] if len(bad) else 0
    raise DataError(
        f"{column} of row {table.index[row]} is {cells.iloc[row]!r}, no number; correct it, or "
        "leave the column out."
    )


def _filled(part: Any, time: str, values: list[str], columns: SeriesColumns) -> Any:
    fills = columns.missing != "error"
    rows = part.index
    if columns.frequency is not None:
        part = regular(part, time, columns.frequency, fills)
    cells = part[values].astype(float).replace([np.inf, -np.inf], np.nan)
    if columns.missing == "ffill":
        cells = cells.ffill()
    elif columns.missing == "interpolate":
        cells = cells.interpolate(limit_area="inside").ffill()
    elif fills:
        cells = cells.fillna(float(columns.missing))
    bad = np.argwhere(cells.isna().to_numpy())
    if len(bad):
        place, column = bad[0]
        row = rows[place] if len(rows) == len(part) else place
        remedy = "fill it, or pass missing='ffill', 'interpolate' or a number"
        if fills:
            remedy = f"missing={columns.missing!r} has no value before it; leave the row out"
        raise DataError(
            f"{values[column]} of row {row} ({time} {part[time].iloc[place]}) is missing or "
            f"infinite, and {len(bad)} values in all; {remedy}."
        )
    return part.assign(**{column: cells[column] for column in values})
