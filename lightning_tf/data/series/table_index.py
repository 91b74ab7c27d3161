"""name_columns: a table whose index and columns all have names that are texts."""

from dataclasses import replace
from typing import Any

from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.time_texts import looks_like_date
from lightning_tf.data.sources.table_file import table_name
from lightning_tf.exceptions import DataError

TIME = "time"  # what an index of times is called that has no name


def name_columns(
    table: Any, columns: SeriesColumns, data: Any = None
) -> tuple[Any, SeriesColumns, list[str]]:
    """Return a table whose index has become columns, and what the columns are.

    An index of times (datetimes, periods, numbers with a name, texts that read as dates) is the
    time column, unless one is named. Levels of an index that an option names become columns too.

    Args:
        table: A DataFrame.
        columns: What the user says of them.
        data: What the table was read from, for messages.

    Returns:
        A DataFrame with rows numbered from 0, the columns with the time where an index holds it,
        and the names of what the index gave.

    Raises:
        DataError: Two columns have one name, or columns have levels.
    """
    index = table.index
    table = table.reset_index(drop=True)
    if table.columns.nlevels > 1:
        raise DataError(
            f"{table_name(data)} has columns of {table.columns.nlevels} levels, such as "
            f"{table.columns[0]!r}; give each one name."
        )
    table.columns = [str(name) for name in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{table_name(data)} has two columns {twice[0]!r}; rename or drop one.")

    asked = {name for names in columns.roles.values() for name in names}
    given = []
    for number in range(index.nlevels):
        level = index.get_level_values(number)
        name = None if level.name is None else str(level.name)
        is_asked = name in asked and name not in table
        is_time = not columns.roles["time"] and not is_asked and holds_times(level)
        if not (is_asked or is_time):
            continue

        name = name if name is not None and name not in table else TIME
        if name in table:
            raise DataError(
                f"{table_name(data)} has an index of times and a column {name!r}; name the column "
                "of times with time=."
            )
        table.insert(0, name, level)
        given.append(name)
        if is_time:
            columns = replace(columns, time=name)
    return table, columns, given


def holds_times(index: Any) -> bool:
    """Return whether an index is one of times."""
    import pandas as pd

    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)):
        return True
    if pd.api.types.is_numeric_dtype(index):
        # Numbers without a name are what pandas numbers rows with; they stay when rows are taken
        # out of a table, and say nothing.
        return index.name is not None and not pd.api.types.is_bool_dtype(index)
    return reads_as_dates(index)


def reads_as_dates(cells: Any) -> bool:
    """Return whether texts or objects look like dates, by the first ones."""
    import pandas as pd

    if isinstance(cells.dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)) or cells.dtype.kind == "M":
        return True
    if not (pd.api.types.is_object_dtype(cells) or pd.api.types.is_string_dtype(cells)):
        return False
    first = [str(cell) for cell in cells[:20] if not pd.isna(cell)]
    return bool(first) and all(looks_like_date(text) for text in first)
