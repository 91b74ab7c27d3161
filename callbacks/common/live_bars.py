"""LiveBars: progress bars on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class LiveBars:
    """The live display of a terminal: below the printed lines, one bar for each running stage.

    It opens with the first bar and is drawn by `update`, not by a thread, so that nothing competes
    with training.

    Args:
        console: A rich console on a terminal.

    Example:
        >>> bars = LiveBars(Console())
        >>> bars.begin("train", "epoch 1/3", total=100, done=0)
        >>> bars.update("train", 50, "850 steps/s", "loss 0.1234")
        >>> bars.close()
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        # No refresh by rich's thread, and no bar left behind at the end.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20, complete_style="green", finished_style="green"),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TextColumn(
                "{task.fields[metrics]}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._ids: dict[str, TaskID] = {}

    def begin(self, name: str, description: str, total: int | None, done: int) -> None:
        """Add a bar, replacing one of the same name."""
        self._progress.start()
        if name in self._ids:
            self._progress.remove_task(self._ids.pop(name))
        self._ids[name] = self._progress.add_task(  # which draws: 1 ms
            description, total=total, completed=done, count=_count(done, total), rate="", metrics=""
        )

    def update(self, name: str, done: int, rate: str, metrics: str) -> None:
        """Move a bar and draw it."""
        # rich knows its bars by number.
        bar = next(task for task in self._progress.tasks if task.id == self._ids[name])
        count = _count(done, None if bar.total is None else int(bar.total))
        # The one place that draws while training runs.
        self._progress.update(
            bar.id, completed=done, count=count, rate=rate, metrics=metrics, refresh=True
        )

    def end(self, name: str) -> None:
        """Remove a bar, if it is there."""
        if name in self._ids:
            self._progress.remove_task(self._ids.pop(name))
            self._progress.refresh()

    def print(self, line: str) -> None:
        """Write a line above the bars."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write a table above the bars, whose first row is the head."""
        from rich.table import Table
        from rich.text import Text

        table = Table(*rows[0])
        for row in rows[1:]:
            table.add_row(*map(Text, row))
        self._progress.console.print(table)

    def close(self) -> None:
        """Close the display and release the terminal."""
        self._progress.stop()


def format_number(value: float) -> str:
    """Return a number in four decimals, or in powers of ten where these say nothing."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table as plain text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join(line).rstrip() for line in lines]


def _count(done: int, total: int | None) -> str:
    return f"{done}" if total is None else f"{done}/{total}"
