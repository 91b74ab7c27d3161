"""new_rows: rows to predict, as arrays, read as a task has learned to read its table."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from lightning_tf.checks import is_number
from lightning_tf.data.tables.feature_table import checked_missing
from lightning_tf.data.tables.held_out_check import warn_of_unknown_categories

log = logging.getLogger("lightning_tf")


class NewRows(NamedTuple):
    """Rows to predict.

    Attributes:
        arrays: What the network takes of them.
        places: Their numbers in the table, where some may be left out.
    """

    arrays: dict[str, Any]
    places: list[int]


def new_rows(
    task: Any,
    data: Any,
    *,
    missing: str | float | None = None,
    na_values: Sequence[str | float] = (),
    date_format: str | None = None,
    encoding: str = "utf-8",
    sep: str | None = None,
    quoting: bool | None = None,
) -> NewRows:
    """Return the rows of a table; columns that the task does not read are left out, and told.

    Args:
        task: A TabularTask that is built.
        data: A table as `TabularTask.predict_table` takes it.
        missing: ``error``, ``drop`` (rows, which is told), or a number that stands for missing
            numbers; None is the number of the task's own, or ``error`` where there is none.
        na_values: Words or numbers that stand for a missing value, beside those of the task's own.
        date_format: How dates are written; None is as in the task's own.
        encoding: Of a CSV or TSV file.
        sep: Between its fields.
        quoting: Whether quotation marks enclose them.

    Raises:
        ConfigurationError: `missing` is none of these.
        DataError: A column or a value is missing.
    """
    fill = task.columns.fill
    if missing is not None:
        fill = float(missing) if is_number(checked_missing(missing)) else None
    columns = task.columns.reading(fill, na_values, date_format)

    table = task.read_rows(data, encoding, sep=sep, quoting=quoting)
    others = [name for name in table.columns if name not in columns.names]
    if others:
        log.info("columns that are not read: %s.", ", ".join(others))
    if missing == "drop":
        table = columns.whole_rows(table)
    arrays = columns.arrays(table)
    warn_of_unknown_categories(columns, arrays, table)
    return NewRows(arrays, table.index.tolist())
