"""RowInstances: rows of a table as dicts, or a table as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lightning_tf.data.sources.csv_file import SEPARATORS
from lightning_tf.data.sources.table_file import read_table
from lightning_tf.exceptions import DataError
from lightning_tf.serving.instances import Instances, Named, checked_text, json_type
from lightning_tf.serving.request_body import check_count
from lightning_tf.serving.request_error import WRONG_DATA, WRONG_TYPE, RequestError

if TYPE_CHECKING:
    from lightning_tf.data.sources.new_examples import NewExamples

CELL = {"type": ["string", "number", "boolean", "null"]}


class RowInstances(Instances):
    """Rows: dicts of cells by column; columns that the task does not read are left out."""

    wanted = "a dict of cells by the names of the columns"
    files = "one table as CSV (UTF-8) with a header"

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema of an instance."""
        names = self._columns.names
        return {"type": "object", "properties": dict.fromkeys(names, CELL), "required": names}

    def example(self) -> Any:
        """Return a row of zeros and first categories."""
        columns = self._columns
        dates = dict.fromkeys(columns.dates, "2024-01-31") if not columns.date_format else None
        if dates is None and columns.dates:
            return None
        categories = {name: known[0] for name, known in columns.categories.items() if known}
        return {**dict.fromkeys(columns.columns, 0.0), **(dates or {}), **categories}

    def details(self) -> dict[str, Any]:
        """Return the columns, and the categories that are known."""
        columns = self._columns
        known = {"numbers": columns.columns, "dates": columns.dates}
        return {"columns": {**known, "categories": columns.categories}}

    def checked(self, value: Any) -> Any:
        """Return the cells that the task reads."""
        cells = checked_row(value, self.limits.max_text)
        read = {name: cells[name] for name in self._columns.names if name in cells}
        if len(read) < len(self._columns.names):
            missing = [name for name in self._columns.names if name not in read]
            raise RequestError(WRONG_DATA, f"the column {missing[0]!r} is missing.")
        return read

    def of_file(self, name: str, content: bytes) -> Any:
        """Return the rows of a CSV file as a DataFrame."""
        return csv_table(name, content, **self._columns.number_format.csv_options())

    def examples(self, values: list[Any]) -> NewExamples:
        """Return rows, or those of one table."""
        return self.predictor.read(values if isinstance(values[0], dict) else values[0])

    def predict(self, given: Sequence[Named]) -> list[dict[str, Any]]:
        """Return a prediction for each row, also of a file."""
        if given[0].file is None:
            return super().predict(given)
        if len(given) > 1:
            raise RequestError(WRONG_DATA, "there are several tables; send one.")
        check_count(len(given[0].value), self.limits.max_batch, "rows")
        examples = self.read(given)
        return self.predictor.table(examples, self.outputs(examples)).records()

    @property
    def _columns(self) -> Any:
        return self.task.columns  # type: ignore[attr-defined]


def checked_row(value: Any, max_text: int) -> dict[str, Any]:
    """Return a row of a table.

    Raises:
        RequestError: It is no dict of texts, numbers, booleans and nulls.
    """
    if not isinstance(value, dict):
        raise RequestError(WRONG_DATA, f"it is a {json_type(value)}; give a dict by column.")
    for name, cell in value.items():
        if isinstance(cell, (list, dict)):
            raise RequestError(WRONG_DATA, f"{name[:50]!r} is a {json_type(cell)}; give one value.")
        if isinstance(cell, str):
            checked_text(cell, max_text)
        elif cell is not None and abs(cell) > 1e300:  # NumPy has no larger ones
            raise RequestError(WRONG_DATA, f"{name[:50]!r} is a number too large.")
    return value


def csv_table(name: str, content: bytes, **csv_options: Any) -> Any:
    """Return a CSV file of a request as a DataFrame, read as a training file is.

    Args:
        name: Of the file.
        content: In UTF-8; fields are separated by what the header has most of.
        **csv_options: Of `read_table`.

    Raises:
        RequestError: It is no CSV.
    """
    if not name.lower().endswith(".csv"):
        raise RequestError(WRONG_TYPE, "a table is sent as a .csv file.")
    header = content.partition(b"\n")[0]
    separator = max(SEPARATORS, key=lambda mark: header.count(mark.encode()))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        try:
            return read_table(path, "utf-8-sig", sep=separator, **csv_options)
        except DataError as error:
            reason = str(error).replace(f"{folder}{os.sep}", "")  # no path of this machine
            raise RequestError(WRONG_DATA, reason) from None
