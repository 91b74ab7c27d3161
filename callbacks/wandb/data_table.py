"""DataTable: rows that W&B gets once, and tables of predictions that refer to them."""

from __future__ import annotations

import re
import weakref
from collections.abc import Sequence
from typing import Any

from lightning_tf.callbacks.wandb import media
from lightning_tf.callbacks.wandb.connection import WandbConnection
from lightning_tf.callbacks.wandb.media import Maker
from lightning_tf.exceptions import DataError

KIND, REFERENCE = "dataset", "data"
SECONDS = 60.0  # for the server to confirm the rows


class DataTable:
    """Sends its rows as one artifact; tables of predictions hold their numbers instead of them.

    The rows stay in memory: a later entry point sends them again, and W&B knows them by content.

    Args:
        name: The artifact is called so, with ``-`` for what W&B refuses; it is of type ``dataset``.
        columns: A name for each column.
        rows: Copied; an array of shape (height, width, 1 or 3) becomes an image.

    Raises:
        DataError: There is no row, or one has not a cell for each column.

    Example:
        >>> data = DataTable("digits", ["image", "label"], [[image, 3]])
        >>> logger.show("val/classes", data.reference("val/classes", ["class"], [[3]], [0]), step)
    """

    def __init__(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if not len(rows):
            raise DataError(f"the data table {name!r} has no row; give at least one.")
        self.name, self.length = name, len(rows)
        self._make = media.table(name, columns, rows)
        # By connection: an artifact object belongs to one run.
        self._sent: weakref.WeakKeyDictionary[WandbConnection, Any] = weakref.WeakKeyDictionary()

    def reference(
        self,
        name: str,
        connection: WandbConnection,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        indices: Sequence[int],
    ) -> Maker:
        """Return a maker of predictions, to be called in the connection's thread.

        The first one of a run sends the data before; where the server does not answer it raises,
        and the next one tries again.

        Args:
            name: Of the predictions, for messages.
            connection: Its run gets them.
            columns: A name for each column, besides ``data``.
            rows: One for each index.
            indices: Which row of the data each is of.

        Raises:
            DataError: A row has not a cell for each column.
        """
        make_predictions = media.table(name, columns, rows)

        def make(wandb: Any) -> Any:
            data = self._sent.get(connection)
            if data is None:
                data = self._sent[connection] = self._send(connection)
            predictions = make_predictions(wandb)
            references = [data.index_ref(index) for index in indices]
            return wandb.Table(
                columns=[REFERENCE, *predictions.columns],
                data=[[i, *row] for i, row in zip(references, predictions.data, strict=True)],
            )

        return make

    def _send(self, connection: WandbConnection) -> Any:
        """Send the rows; predictions that refer to what the server has not would be lost."""
        if connection.is_online and not connection.is_server_reachable():
            raise ConnectionError("the server does not answer")  # wandb would try for 19 seconds

        table, name = self._make(connection.wandb), re.sub(r"[^\w.-]+", "-", self.name)
        artifact = connection.wandb.Artifact(name, KIND)
        artifact.add(table, name)
        sent = connection.run.log_artifact(artifact)
        if connection.is_online:
            sent.wait(timeout=SECONDS)
        return table
