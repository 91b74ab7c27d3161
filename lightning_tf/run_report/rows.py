"""Rows of numbers that a run has logged, read so that a torn file still gives its whole rows."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

POSITION = ("step", "epoch")


@dataclass
class Row:
    """What was logged at an update.

    Attributes:
        step: Updates done.
        epoch: The number of the epoch, from 0; None where it was not logged.
        values: By name, such as ``val/loss``; NaN and infinity are kept.
    """

    step: int
    epoch: int | None
    values: dict[str, float]


@dataclass
class Rows:
    """All rows of a file, by update, and what could not be read.

    Example:
        >>> Rows.from_csv(Path("metrics.csv").read_text()).rows[-1].values["val/loss"]
        0.1156
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_csv(cls, text: str) -> "Rows":
        """Read what a `CSVLogger` writes."""
        self = cls()
        lines = csv.reader(io.StringIO(self._whole(text, "metrics.csv"), newline=""))
        try:
            header = next(lines, [])
            if header and "step" not in header:
                self.notes.append("metrics.csv has no column step: none of its rows is read.")
                return self
            self._take(_dicts(header, lines), "metrics.csv")
        except csv.Error as error:
            self.notes.append(f"metrics.csv is read up to line {lines.line_num}: {error}.")
        return self

    @classmethod
    def from_lines(cls, lines: list[dict[str, Any]]) -> "Rows":
        """Take the lines of a `JSONLinesLogger` of the kind metrics."""
        self = cls()
        self._take((line for line in lines if line.get("kind") == "metrics"), "log.jsonl")
        return self

    def _whole(self, text: str, name: str) -> str:
        # Half of a number is a number: only the end of the line says that it is whole.
        whole = text[: text.rfind("\n") + 1]
        if len(whole) < len(text):
            self.notes.append(
                f"{name} ends within a row, which is left out: the run is going on or was killed."
            )
        return whole

    def _take(self, rows: Iterator[dict[str, Any]], file: str) -> None:
        unread = 0
        for cells in rows:
            step = _number(cells.get("step"))
            if step is None or not step.is_integer():
                unread += 1
                continue
            epoch = _number(cells.get("epoch"))
            known = epoch is not None and epoch.is_integer()
            row = Row(int(step), int(epoch) if known and epoch is not None else None, {})
            for name, cell in cells.items():
                value = None if name in POSITION else _number(cell)
                if value is not None:
                    row.values[name] = value
            self.rows.append(row)

        self.rows.sort(key=lambda row: row.step)
        if unread:
            self.notes.append(f"{unread} rows of {file} have no step and are left out.")


def whole_json_lines(text: str) -> tuple[list[dict[str, Any]], int]:
    """Return the objects of a file of lines, and how many lines are none."""
    lines, broken = [], 0
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except (RecursionError, ValueError):
            content = None
        if isinstance(content, dict):
            lines.append(content)
        else:
            broken += bool(line.strip())
    return lines, broken


def _dicts(header: list[str], lines: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    for cells in lines:
        yield {name: cell for name, cell in zip(header, cells, strict=False) if name and cell}


def _number(cell: Any) -> float | None:
    """Return a cell as a number; None of one that is empty or a text."""
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        return float(cell)
    except (OverflowError, ValueError):
        return None
