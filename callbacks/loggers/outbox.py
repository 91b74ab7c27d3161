"""Outbox: lines on this disk for a receiver that may be away, and how far it has got them."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.loggers.whole_lines import whole_lines
from lightning_tf.callbacks.wandb.journal import HeldRows, Row

MOST_COLLECTED = 100  # lines


@dataclass(frozen=True)
class Line:
    """A line of the file.

    Attributes:
        end: Where it ends, in bytes.
        step: Its update.
        time: When it was added, in milliseconds since 1970.
        values: By name, plain data.
    """

    end: int
    step: int
    time: int
    values: dict[str, Any]


class Outbox:
    """A file of lines that is written before a receiver knows of them, and read by its sender.

    Beside it stands how far the receiver has confirmed it, and how far it was tried: what was tried
    and not confirmed may have arrived before the process was killed, so it is sent again as it was
    and never measured anew.

    Args:
        path: The file, made with the first line.

    Attributes:
        confirmed: Bytes that the receiver has.
        tried: Bytes that it may have.
        position: Where `read` goes on.

    Example:
        >>> outbox = Outbox(Path("mlflow_runs/digits/ab12cd34/rows.jsonl"))
        >>> outbox.add(50, {"train/loss": 0.5})
        >>> outbox.flush()
        >>> outbox.read(100)[0].values
        {'train/loss': 0.5}
    """

    def __init__(self, path: Path) -> None:
        self.path, self._cursor = path, path.with_suffix(".sent")
        self._lock = threading.Lock()
        self._collected: list[str] = []
        self._size = len(whole_lines(path))

        known = self._cursor.read_text(encoding="utf-8").split() if self._cursor.exists() else []
        self.confirmed, self.tried = (int(known[0]), int(known[1])) if len(known) == 2 else (0, 0)
        self.position = self.confirmed

    @property
    def bytes_left(self) -> int:
        """Return the bytes that the receiver has not confirmed."""
        return self._size - self.confirmed

    @property
    def is_new(self) -> bool:
        """Return whether there is no line yet."""
        return self._size == 0 and not self._collected

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Collect a line; a hundred are written at once.

        Raises:
            OSError: The disk refuses; the lines are kept and tried again.
        """
        line = json.dumps([step, time.time_ns() // 1_000_000, dict(values)])
        with self._lock:
            self._collected.append(line + "\n")
            is_due = len(self._collected) >= MOST_COLLECTED
        if is_due:
            self.flush()

    def flush(self) -> None:
        """Write what was collected to the disk.

        Raises:
            OSError: The disk refuses; the lines are kept and tried again.
        """
        with self._lock:
            if not self._collected:
                return
            content = "".join(self._collected).encode()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self.path.open("ab") as file:
                    file.write(content)
            except OSError:
                # What was written of them would stand there twice.
                with contextlib.suppress(OSError):
                    os.truncate(self.path, self._size)
                raise
            self._size += len(content)
            self._collected.clear()

    def read(self, most: int) -> list[Line]:
        """Return the lines from `position` on, at most so many."""
        if self.position >= self._size:
            return []
        lines: list[Line] = []
        with self.path.open("rb") as file:
            file.seek(self.position)
            while len(lines) < most and (text := file.readline()).endswith(b"\n"):
                lines.append(Line(file.tell(), *json.loads(text)))
        return lines

    def trying(self, end: int) -> None:
        """Note that the receiver may soon have everything up to an end."""
        if end > self.tried:
            self.tried = end
            self._write_cursor()

    def confirm(self, end: int) -> None:
        """Note that the receiver has everything up to an end."""
        self.confirmed, self.tried = end, max(self.tried, end)
        self.position = max(self.position, end)
        self._write_cursor()

    def resume(self, step: int) -> HeldRows:
        """Take out what a run that is resumed at an update measures again and nobody has got.

        Returns:
            What the receiver has, or will get from the lines before, of updates from `step` on.
        """
        self.flush()
        self.position, fresh = 0, self.tried
        lines = self.read(self._size)
        self.position = self.confirmed

        remaining = [line for line in lines if line.end <= fresh or line.step <= step]
        if len(remaining) < len(lines):
            self._rewrite(fresh, [line for line in lines if line.end > fresh], step)
        return HeldRows(Row(0, line.step, line.values) for line in remaining if line.step >= step)

    def _rewrite(self, start: int, lines: list[Line], step: int) -> None:
        """Move the lines from a position on that are of later updates to another file."""
        content = self.path.read_bytes()[:start]
        later = b""
        for line in lines:
            text = json.dumps([line.step, line.time, line.values]).encode() + b"\n"
            content, later = (
                (content + text, later) if line.step <= step else (content, later + text)
            )

        with self.path.with_name(f"superseded_{self.path.name}").open("ab") as file:
            file.write(later)
        # Renamed when whole: a process that is killed meanwhile loses no line.
        replace_text(self.path, content)
        self._size = len(content)

    def _write_cursor(self) -> None:
        replace_text(self._cursor, f"{self.confirmed} {self.tried}\n".encode())


def replace_text(path: Path, content: bytes) -> None:
    """Write a file that is never seen half written."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    os.replace(beside, path)
