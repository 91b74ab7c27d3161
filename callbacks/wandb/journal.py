"""WandbJournal: every row for W&B, on this disk, whatever happens to W&B."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "rows.jsonl"
MOST_COLLECTED = 100  # lines


@dataclass
class Row:
    """A row for W&B.

    Attributes:
        number: Its ``_step`` in the W&B run.
        step: Its update.
        values: By name; None for what is neither number nor text, such as an image.
    """

    number: int
    step: int
    values: dict[str, Any]


class WandbJournal:
    """A file with a line for each row, written before W&B or a checkpoint knows of the row.

    W&B may lose the last rows of a killed process, or have them already when a resumed run measures
    them again. A row has the same number here and there (``_step``), so a resumed run knows which
    of them W&B holds; it sends the others again. Up to a hundred lines are written at once, because
    a tiny network has a row every few milliseconds.

    Args:
        folder: Holds ``rows.jsonl``; made with the first row.

    Example:
        >>> journal = WandbJournal(Path("wandb_runs/digits/ab12cd34"))
        >>> journal.add(50, {"train/loss": 0.5})
        0
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock = threading.Lock()
        self._collected: list[Any] = []

        lines = self._read_lines()
        # The process was killed, or the disk was full, while the last line was written.
        self._is_torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        numbers = [line[0] for line in lines if isinstance(line, list)]
        self.first_new = self._next = max(numbers, default=-1) + 1
        self._lines_before = lines
        self._shift = 0

    def add(self, step: int, values: Mapping[str, Any]) -> int:
        """Collect a row and return its number, before `begin` shifts it.

        Raises:
            OSError: The disk refuses the folder, or the rows that were collected; the number is
                used up all the same.
        """
        plain = {
            name: value if isinstance(value, (bool, int, float, str)) else None
            for name, value in values.items()
        }

        with self._lock:
            number = self._next
            self._next += 1
            self._collected.append([number, step, plain])

            # Made with the first row, so that a disk that refuses is noticed early.
            if number == self.first_new:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            if len(self._collected) >= MOST_COLLECTED:
                self._flush()
        return number

    def flush(self) -> None:
        """Write the collected rows to the disk.

        Raises:
            OSError: The disk refuses; the rows are not tried again.
        """
        if self._collected:
            with self._lock:
                self._flush()

    @property
    def newest_number(self) -> int:
        """Return the number of the row that was added last."""
        return self._next - 1

    def begin(self, held: int, resumed_at: int | None) -> tuple[list[Row], HeldRows]:
        """Compare with the rows that W&B holds, once they are known.

        Args:
            held: Rows that W&B holds have numbers below it.
            resumed_at: The update that the run was resumed at; None where it was not.

        Returns:
            Rows to send again, and rows that need not be sent when they are measured again.
        """
        # W&B may hold rows that this disk does not: numbers go on above them.
        self._shift = max(0, held - self.first_new)
        rows = _rows_of(self._lines_before)
        self._lines_before = []
        limit = float("inf") if resumed_at is None else resumed_at

        # A later process must know how the rows after this one were numbered.
        marker = {"from": self.first_new, "held": held, "step": resumed_at, "shift": self._shift}
        self._add_marker(marker)

        lost = [_sendable(r) for r in rows if r.number >= held and r.step <= limit]
        known = [row for row in rows if row.number < held]
        # What was measured at the checkpoint's own update after it was written comes again, too.
        return lost, HeldRows(row for row in (*known, *lost) if row.step >= limit)

    def shift(self, number: int, least: int) -> None:
        """Shift the numbers of W&B from a row on, so that this row gets at least a certain one."""
        if self.to_wandb_step(number) < least:
            self._shift = least - number
            self._add_marker({"from": number, "held": 0, "step": None, "shift": self._shift})

    def to_wandb_step(self, number: int) -> int:
        """Return the ``_step`` of a row that `add` numbered."""
        return number + self._shift

    def read_rows(self) -> list[Row]:
        """Return all rows; of those that were measured twice, the one that W&B got."""
        return _rows_of(self._read_lines())

    def _add_marker(self, marker: dict[str, Any]) -> None:
        with self._lock:
            self._collected.append(marker)
            self._flush()

    def _flush(self) -> None:
        lines, self._collected = self._collected, []
        if not lines:
            return

        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A torn line gets its end first, or the next row would become a part of it.
        before, self._is_torn = "\n" * self._is_torn, True
        with self.path.open("a", encoding="utf-8") as file:
            file.write(before + text)
        self._is_torn = False

    def _read_lines(self) -> list[Any]:
        if not self.path.exists():
            return []

        lines = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:  # torn
                continue
        return lines


class HeldRows:
    """The rows that W&B holds of the updates that a resumed run repeats.

    Args:
        rows: The rows.
        up_to: W&B holds everything up to this update, where no journal tells more.
    """

    def __init__(self, rows: Iterable[Row] = (), up_to: int = -1) -> None:
        self.up_to = up_to
        self._names: dict[int, set[str]] = {}
        for row in rows:
            self._names.setdefault(row.step, set()).update(row.values)

    @property
    def last_step(self) -> int:
        """Return the last update of which W&B holds a row, -1 for none."""
        return max(self._names, default=-1)

    def drop_held(self, step: int, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a row that W&B does not hold yet."""
        if step <= self.up_to:
            return {}
        names = self._names.get(step)
        if not names:
            return values
        return {name: value for name, value in values.items() if name not in names}


def _sendable(row: Row) -> Row:
    """Return the values of a row that can be sent again; an image cannot."""
    values = {name: value for name, value in row.values.items() if value is not None}
    return Row(row.number, row.step, values)


def _rows_of(lines: list[Any]) -> list[Row]:
    """Return the rows of a file's lines, numbered as W&B got them."""
    markers = [line for line in lines if isinstance(line, dict)]
    rows = []
    for line in lines:
        if isinstance(line, list):
            line_number, step, values = line
            # The newest marker at or before a line tells how it was numbered.
            shift = next((m["shift"] for m in reversed(markers) if m["from"] <= line_number), 0)
            later = [m for m in markers if m["from"] > line_number]
            if not any(_is_measured_again(line_number + shift, step, marker) for marker in later):
                rows.append(Row(line_number + shift, step, values))
    return rows


def _is_measured_again(number: int, step: int, marker: dict[str, Any]) -> bool:
    """Return whether a later process knew that W&B had not got a row, and repeated its update."""
    return marker["step"] is not None and number >= marker["held"] and step > marker["step"]
