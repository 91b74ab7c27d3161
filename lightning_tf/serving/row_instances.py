"""RowInstances: rows of a table as dicts, or a table as a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
        """Return the rows of a CSV file."""
        return csv_rows(name, content)

    def examples(self, values: list[Any]) -> NewExamples:
        """Return rows, or the rows of one file."""
        return self.predictor.read(values[0] if isinstance(values[0], list) else values)

    def predict(self, given: Sequence[Named]) -> list[dict[str, Any]]:
        """Return a prediction for each row, also of a file."""
        if given[0].file is None:
            return super().predict(given)
        if len(given) > 1:
            raise RequestError(WRONG_DATA, "there are several tables; send one.")
        (table,) = given
        check_count(len(table.value), self.limits.max_batch, "rows")
        rows = []
        for place, row in enumerate(table.value):
            try:
                rows.append(Named(self.checked(row), f"{table.name}: row {place}"))
            except RequestError as error:
                detail = f"{table.name}: row {place}: {error.detail}"
                raise RequestError(error.status, detail) from None
        return super().predict(rows)

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
            raise RequestError(
                WRONG_DATA, f"{name[:50]!r} is a {json_type(cell)}; give one value."
            )
        if isinstance(cell, str):
            checked_text(cell, max_text)
        elif cell is not None and abs(cell) > 1e300:  # NumPy has no larger ones
            raise RequestError(WRONG_DATA, f"{name[:50]!r} is a number too large.")
    return value


def csv_rows(name: str, content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a CSV file, as a training file is read.

    Raises:
        RequestError: It is no CSV.
    """
    import csv

    if not name.lower().endswith(".csv"):
        raise RequestError(WRONG_TYPE, "a table is sent as a .csv file.")
    try:
        text = content.decode("utf-8-sig")
        dialect = csv.excel if "\n" not in text else _dialect(text)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), dialect=dialect))
    except (UnicodeDecodeError, csv.Error):
        raise RequestError(WRONG_TYPE, "it is no CSV in UTF-8.") from None
    if any(None in row or None in row.values() for row in rows):
        raise RequestError(WRONG_DATA, "a row has other fields than the header.")
    return [{name: cell or None for name, cell in row.items()} for row in rows]


def _dialect(text: str) -> Any:
    import csv

    header = text.partition("\n")[0]
    comma = max((",", ";", "\t"), key=header.count)
    return type("Dialect", (csv.excel,), {"delimiter": comma})
