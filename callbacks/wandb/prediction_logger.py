"""WandbPredictionLogger: predictions over epochs that refer to one table of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning_tf.callbacks.wandb.connection import WandbConnection
from lightning_tf.callbacks.wandb.data_table import REFERENCE, DataTable
from lightning_tf.callbacks.wandb.media_logger import WandbMediaLogger
from lightning_tf.checks import check_known
from lightning_tf.exceptions import ConfigurationError, DataError


class WandbPredictionLogger(WandbMediaLogger):
    """Logs one table of data, and tables of predictions whose rows are numbers of rows in it.

    Images and texts are sent once, however many epochs there are.

    Example:
        >>> logger.log_data_table("digits", ["image", "label"], [[image, 3], [other, 5]])
        >>> logger.log_predictions("val/predictions", ["class"], [[3], [6]], step, data="digits")
    """

    def __init__(self) -> None:
        self._data_tables: dict[str, DataTable] = {}

    def connect(self) -> WandbConnection | None:
        """Return the connection to the run; None where nothing is logged."""
        return None

    def log_data_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Keep a table that predictions refer to; it is sent with the first of them.

        Another table of the same name takes its place, as a new version.

        Args:
            name: Names the artifact.
            columns: A name for each column.
            rows: An array of shape (height, width, 1 or 3) in a cell is shown as an image.

        Raises:
            DataError: There is no row, or one has not a cell for each column.
        """
        self._data_tables[name] = DataTable(name, columns, rows)

    def log_predictions(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        step: int,
        data: str,
        indices: Sequence[int] | None = None,
    ) -> None:
        """Send a table of predictions, each of which refers to a row of a data table.

        Args:
            name: The table's; W&B shows one for each step.
            columns: A name for each column; ``data`` is the column that refers.
            rows: One for each of `indices`.
            step: The update.
            data: The name in `log_data_table`.
            indices: Numbers of rows of the data; all, in their order, where it is None.

        Raises:
            ConfigurationError: There is no such data table, or a column is called ``data``.
            DataError: Rows or cells are missing, or an index is of no row.
        """
        check_known(f"log_predictions({name!r}, data={data!r})", data, self._data_tables)
        if REFERENCE in columns:
            raise ConfigurationError(
                f"log_predictions({name!r}): {REFERENCE!r} is the column that refers to the data "
                "table; give that one another name."
            )
        table = self._data_tables[data]
        chosen = range(table.length) if indices is None else [int(index) for index in indices]
        if len(rows) != len(chosen) or not all(0 <= index < table.length for index in chosen):
            raise DataError(
                f"log_predictions({name!r}): {len(rows)} rows for {len(chosen)} indices of "
                f"{data!r}, which has rows 0 to {table.length - 1}; give a row for each index."
            )

        connection = self.connect()
        if connection is not None:
            refer = table.reference(name, connection, columns, rows, chosen)
            self.show(name, refer, step)
