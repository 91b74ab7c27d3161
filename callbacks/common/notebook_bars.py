"""NotebookBars: progress bars in the output of a notebook's cell."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape

from lightning_tf.callbacks.common.live_bars import aligned
from lightning_tf.html_table import html_table
from lightning_tf.notebook import CellOutput

TEXT = "font-family:monospace;font-size:smaller;white-space:pre;overflow-x:auto;margin:0"
LINES = 20  # printed lines that stay; a notebook with thousands opens slowly
REFRESH_SECONDS = 0.2  # between drawings that nobody asked for


@dataclass
class _Bar:
    description: str
    total: int | None
    done: int
    text: str = ""
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def parts(self) -> list[str]:
        count = str(self.done) if self.total is None else f"{self.done}/{self.total}"
        return [count, str(timedelta(seconds=int(self.seconds))), self.text]


class NotebookBars:
    """What `LiveBars` shows on a terminal, in one output that is replaced in place.

    When it is closed, the printed lines and the last table stay, and no bar.

    Example:
        >>> bars = NotebookBars()
        >>> bars.begin("train", "epoch 1/3", total=100, done=0)
        >>> bars.update("train", 50, "850 steps/s", "loss 0.1234")
        >>> bars.close()
    """

    def __init__(self) -> None:
        self._output = CellOutput()
        self._bars: dict[str, _Bar] = {}
        self._lines: list[str] = []
        self._left_out = 0
        self._rows: Sequence[Sequence[str]] = ()
        self._last: _Bar | None = None
        self._next_drawing = 0.0

    def begin(self, name: str, description: str, total: int | None, done: int) -> None:
        """Add a bar, replacing one of the same name."""
        self._bars[name] = self._last = _Bar(description, total, done)
        self._draw_when_due()

    def update(self, name: str, done: int, rate: str, metrics: str) -> None:
        """Move a bar and draw it."""
        bar = self._bars[name]
        bar.done, bar.text = done, "  ".join(part for part in (rate, metrics) if part)
        self._draw()

    def end(self, name: str) -> None:
        """Remove a bar, if it is there."""
        self._bars.pop(name, None)
        self._draw_when_due()

    def print(self, line: str) -> None:
        """Write a line above the bars."""
        self._lines.append(line)
        self._left_out += max(len(self._lines) - LINES, 0)
        self._lines = self._lines[-LINES:]
        self._draw_when_due()

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write a table above the bars, whose first row is the head."""
        self._rows = rows
        self._draw_when_due()

    def close(self) -> None:
        """Draw what stays."""
        self._bars = {}
        if self._last is None and not self._lines and not self._rows:
            return
        if not self._lines and not self._rows and self._last is not None:
            # No output can be taken back, and an empty one would puzzle.
            self._lines = [f"{self._last.description}  ({self._last.seconds:.1f} s)"]
        self._draw()

    def _draw_when_due(self) -> None:
        if time.perf_counter() >= self._next_drawing:
            self._draw()

    def _draw(self) -> None:
        self._output.show({"text/html": self._html(), "text/plain": self._text()})
        self._next_drawing = time.perf_counter() + REFRESH_SECONDS

    def _all_lines(self) -> list[str]:
        left_out = [f"... {self._left_out} lines before"] if self._left_out else []
        return left_out + self._lines

    def _text(self) -> str:
        bars = ["  ".join([bar.description, *bar.parts]).rstrip() for bar in self._bars.values()]
        return "\n".join([*self._all_lines(), *aligned(self._rows), *bars])

    def _html(self) -> str:
        lines = escape("\n".join(self._all_lines()))
        parts = [f'<pre style="{TEXT}">{lines}</pre>'] if lines else []
        if self._rows:
            parts.append(html_table(self._rows[0], self._rows[1:]))
        parts += map(_bar_html, self._bars.values())
        return f"<div>{''.join(parts)}</div>"


def _bar_html(bar: _Bar) -> str:
    # Without a value the browser shows that something goes on.
    at = "" if bar.total is None else f' value="{bar.done}" max="{max(bar.total, 1)}"'
    rest = escape("  ".join(bar.parts).rstrip())
    return f'<div style="{TEXT}">{escape(bar.description)}  <progress{at}></progress>  {rest}</div>'
