"""CSVTable: a table on the disk that grows by rows and by columns."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STEP = "step"


class CSVTable:
    """Holds a row for each step, also where the values of a step come in parts.

    Rows are collected in memory until `flush`. The last row stays open: the next flush writes it
    again with what has been added. A new column rewrites the file beside its name and renames it;
    values that are there stay.

    Args:
        path: The file; the first flush makes it. An existing file is continued.
        columns: The first columns, after the step.

    Example:
        >>> table = CSVTable(Path("metrics.csv"))
        >>> table.add(10, {"train/loss": 0.5})
        >>> table.add(10, {"val/loss": 0.6})
        >>> table.flush()
    """

    def __init__(self, path: Path, columns: Sequence[str] = ()) -> None:
        self.path = path
        self._columns = [STEP, *columns]
        self._header: list[str] = []  # as the file has it
        self._complete: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._end = 0  # where the complete rows of the file end, in bytes
        self._changed = False
        if path.exists():
            self._continue()

    @property
    def last_step(self) -> int | None:
        """Return the step of the newest row; None without rows."""
        return None if self._open is None else int(self._open[STEP])

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Add values of a step, as a new row unless the newest one is of this step."""
        if self._open is None or self._open[STEP] != step:
            if self._open is not None:
                self._complete.append(self._open)
            self._open = {STEP: step}
        self._open.update(values)
        self._changed = True

    def flush(self) -> None:
        """Write all rows to the disk.

        Raises:
            OSError: The disk refuses; the rows are tried again by the next flush.
        """
        if not self._changed or self._open is None:
            return

        # A dict keeps the order in which columns came.
        columns = dict.fromkeys(self._columns)
        for row in (*self._complete, self._open):
            columns.update(dict.fromkeys(row))
        self._columns = list(columns)
        if self._header != self._columns:
            self._write_header()

        # Overwrites the open row of the last flush, which comes after the complete ones.
        complete = self._as_bytes(self._complete)
        with self.path.open("r+b") as file:
            file.seek(self._end)
            file.write(complete + self._as_bytes([self._open]))
            file.truncate()

        self._end += len(complete)
        self._complete.clear()
        self._changed = False

    def drop_after(self, step: int, moved_to: Path) -> None:
        """Remove the rows of later steps, which a resumed run measures again.

        Args:
            step: The last step whose row stays.
            moved_to: The table that gets the rows.
        """
        if self.last_step is None or self.last_step <= step:
            return

        self.flush()
        _, rows = self._read()

        # Moved before they are taken out: a process that is killed between loses none.
        moved = CSVTable(moved_to)
        for row in rows:
            if row[STEP] > step:
                moved.add(row[STEP], row)
        moved.flush()

        self._rewrite([row for row in rows if row[STEP] <= step])

    # ---- the file

    def _continue(self) -> None:
        header, rows = self._read()
        self._columns = list(dict.fromkeys([*header, *self._columns]))
        self._rewrite(rows)

    def _read(self) -> tuple[list[str], list[dict[str, Any]]]:
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            # Empty cells were never measured. A row without a step is one that a killed process
            # had not finished.
            rows = [{name: cell for name, cell in row.items() if name and cell} for row in reader]
            return list(reader.fieldnames or []), [
                {**row, STEP: int(row[STEP])} for row in rows if str(row.get(STEP, "")).isdigit()
            ]

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        """Make the file hold these rows, the last of them open."""
        # The run may still add to the last row.
        self._complete, self._open = rows[:-1], rows[-1] if rows else None
        self._end = 0
        self._write_header()
        self._changed = True
        self.flush()

    def _write_header(self) -> None:
        """Rewrite the file with all columns and its complete rows; readers see old or new."""
        complete: list[dict[str, Any]] = []
        if self._end:
            text = self.path.read_bytes()[: self._end].decode()
            complete = list(csv.DictReader(io.StringIO(text, newline="")))
        header = dict(zip(self._columns, self._columns, strict=True))
        content = self._as_bytes([header, *complete])

        beside = self.path.with_name(f".{self.path.name}.part")
        beside.write_bytes(content)
        os.replace(beside, self.path)
        self._header, self._end = list(self._columns), len(content)

    def _as_bytes(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns, restval="").writerows(rows)
        return text.getvalue().encode()
