"""WandbJournal: every row that was meant for W&B, on this disk, whatever becomes of W&B."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "rows.jsonl"
MOST_KEPT = 100  # lines


@dataclass
class Row:
    """A row that was meant for W&B.

    Attributes:
        number: Its ``_step`` in the W&B run.
        step: The update that it belongs to.
        values: By name; None for what is no number or text, such as an image.
    """

    number: int
    step: int
    values: dict[str, Any]


class WandbJournal:
    """A line for each row, on the disk before W&B or a checkpoint knows of the row.

    W&B may lose the last rows of a killed process, or have them already when a resumed run measures
    them again. A row has the same number here and there (``_step``), so a resumed run knows which
    of them W&B holds: those it sends again or leaves out. Lines are written up to a hundred
    at once, because a tiny network has a row every few milliseconds.

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
        self._kept: list[Any] = []
        lines = self._lines()
        # A process was killed, or the disk was full, while it was written.
        self._is_torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        numbers = [line[0] for line in lines if isinstance(line, list)]
        self.first_new = self._next = max(numbers, default=-1) + 1
        self._lines_before = lines
        self._shift = 0

    def add(self, step: int, values: Mapping[str, Any]) -> int:
        """Keep a row and return its number, before `begin` shifts it.

        Raises:
            OSError: The disk refuses the folder, or the rows that have gathered; the number is used
                up all the same.
        """
        kept = {
            name: value if isinstance(value, (bool, int, float, str)) else None
            for name, value in values.items()
        }
        with self._lock:
            number = self._next
            self._next += 1
            self._kept.append([number, step, kept])
            if number == self.first_new:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            if len(self._kept) >= MOST_KEPT:
                self._flush()
        return number

    def flush(self) -> None:
        """Bring the rows that are kept to the disk.

        Raises:
            OSError: The disk refuses; the rows are not tried again.
        """
        if self._kept:
            with self._lock:
                self._flush()

    @property
    def newest(self) -> int:
        """The number of the row that was added last."""
        return self._next - 1

    def begin(self, held: int, resumed_at: int | None) -> tuple[list[Row], HeldRows]:
        """Compare with what W&B holds, once that is known.

        Args:
            held: Rows that W&B holds have numbers below it.
            resumed_at: The update that the run was resumed at; None where it goes on as it was.

        Returns:
            Rows to send again, and rows that need not be sent when they are measured again.
        """
        self._shift = max(0, held - self.first_new)
        rows = _rows_of(self._lines_before)
        self._lines_before = []
        limit = float("inf") if resumed_at is None else resumed_at
        marker = {"from": self.first_new, "held": held, "step": resumed_at, "shift": self._shift}
        self._mark(marker)
        lost = [_numbers_of(r) for r in rows if r.number >= held and r.step <= limit]
        there = [row for row in rows if row.number < held]
        # What was measured after the checkpoint was written, at the same update, comes again too.
        return lost, HeldRows(row for row in (*there, *lost) if row.step >= limit)

    def shift(self, number: int, least: int) -> None:
        """Move the numbers of W&B, from a row on, so that this row gets at least a certain one."""
        if self.shifted(number) < least:
            self._shift = least - number
            self._mark({"from": number, "held": 0, "step": None, "shift": self._shift})

    def shifted(self, number: int) -> int:
        """The ``_step`` of a row that `add` numbered."""
        return number + self._shift

    def rows(self) -> list[Row]:
        """All rows that stand: of those measured twice, what W&B was given."""
        return _rows_of(self._lines())

    def _mark(self, marker: dict[str, Any]) -> None:
        with self._lock:
            self._kept.append(marker)
            self._flush()

    def _flush(self) -> None:
        lines, self._kept = self._kept, []
        if not lines:
            return
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before, self._is_torn = "\n" * self._is_torn, True
        with self.path.open("a", encoding="utf-8") as file:
            file.write(before + text)
        self._is_torn = False

    def _lines(self) -> list[Any]:
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:  # torn
                continue
        return found


class HeldRows:
    """What W&B holds of the updates that a resumed run does again.

    Args:
        rows: The rows.
        up_to: Everything up to this update is held, where no journal tells more.
    """

    def __init__(self, rows: Iterable[Row] = (), up_to: int = -1) -> None:
        self.up_to = up_to
        self._names: dict[int, set[str]] = {}
        for row in rows:
            self._names.setdefault(row.step, set()).update(row.values)

    @property
    def last_step(self) -> int:
        """The last update of which anything is held, -1 for none."""
        return max(self._names, default=-1)

    def without_held(self, step: int, values: dict[str, Any]) -> dict[str, Any]:
        """What of a row W&B does not hold yet."""
        if step <= self.up_to:
            return {}
        names = self._names.get(step)
        if not names:
            return values
        return {name: value for name, value in values.items() if name not in names}


def _numbers_of(row: Row) -> Row:
    """What can be sent again; an image cannot."""
    values = {name: value for name, value in row.values.items() if value is not None}
    return Row(row.number, row.step, values)


def _rows_of(lines: list[Any]) -> list[Row]:
    markers = [line for line in lines if isinstance(line, dict)]
    rows = []
    for line in lines:
        if isinstance(line, list):
            line_number, step, values = line
            shift = next((m["shift"] for m in reversed(markers) if m["from"] <= line_number), 0)
            later = [m for m in markers if m["from"] > line_number]
            if not any(_is_measured_again(line_number + shift, step, marker) for marker in later):
                rows.append(Row(line_number + shift, step, values))
    return rows


def _is_measured_again(number: int, step: int, marker: dict[str, Any]) -> bool:
    """Whether a later process knew that W&B did not get a row, and did its update again."""
    return marker["step"] is not None and number >= marker["held"] and step > marker["step"]
