"""ConsoleLogger: prints what a run logs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from lightning_tf.callbacks.common.live_bars import format_number
from lightning_tf.callbacks.common.text_output import text_output
from lightning_tf.checks import checked_integer, checked_row
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console


class ConsoleLogger(Logger):
    """Prints a line for every row, and tables as tables; works beside the progress bar.

    ::

        step 50  epoch 0  train/loss 0.5123  train/accuracy 0.8100

    Images, figures and files are named in a line.

    Args:
        only: Print names that begin with one of these, such as ``("val/", "test/")``; None prints
            all.
        max_rows: Rows of a table to print; the others are counted.
        console: A rich console to print on; made for `file` where it is None.
        file: Where to write; standard output where it is None.

    Raises:
        ConfigurationError: `max_rows` is below 1, `only` is a string, or there are both `console`
            and `file`.

    Example:
        >>> trainer = Trainer(max_epochs=3, logger=[CSVLogger(), ConsoleLogger(only=("val/",))])
        >>> trainer.fit(task)
    """

    def __init__(
        self,
        only: Sequence[str] | None = None,
        max_rows: int = 20,
        console: Console | None = None,
        file: TextIO | None = None,
    ) -> None:
        if isinstance(only, str):
            raise ConfigurationError(f"ConsoleLogger(only={only!r}): give a list of beginnings.")
        self.max_rows = checked_integer("ConsoleLogger: max_rows", max_rows, least=1)
        if console is not None and file is not None:
            raise ConfigurationError("ConsoleLogger got both console and file; give one of them.")

        self.only = None if only is None else tuple(only)
        self.console, self.file = console, file
        self._enabled = True

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Print only on the first worker."""
        self._enabled = trainer.is_global_zero

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Print a line."""
        row = checked_row(metrics)
        values = {n: v for n, v in row.items() if n != "epoch" and self._is_wanted(n)}
        if values:
            parts = [f"epoch {row['epoch']:g}"] if "epoch" in row else []
            parts += [f"{name} {format_number(value)}" for name, value in values.items()]
            self._print("  ".join([f"step {step}", *parts]))

    def log_images(
        self,
        name: str,
        images: np.ndarray,
        step: int,
        captions: Sequence[str] | None = None,
        masks: Sequence[Mapping[str, Any]] | None = None,
        boxes: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Print how many images there are, of what size, and whether something is drawn on them."""
        count, height, width = np.shape(images)[:3]
        kinds = [kind for kind, sets in (("masks", masks), ("boxes", boxes)) if sets]
        extra = f" with {' and '.join(kinds)}" if kinds else ""
        if self._is_wanted(name):
            self._print(f"step {step}  {name}: {count} images of {height} x {width}{extra}")

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Print a table."""
        from rich.table import Table
        from rich.text import Text

        if not self._is_wanted(name):
            return

        table = Table(title=Text(f"{name}, step {step}"))
        for column in columns:
            table.add_column(Text(str(column)))
        for row in rows[: self.max_rows]:
            table.add_row(*(Text(_cell(value)) for value in row))
        if len(rows) > self.max_rows:
            table.caption = f"and {len(rows) - self.max_rows} more rows"

        self._print(table)

    def log_text(self, name: str, text: str, step: int) -> None:
        """Print a text."""
        if self._is_wanted(name):
            self._print(f"step {step}  {name}: {text}")

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Print the figure's name."""
        if self._is_wanted(name):
            self._print(f"step {step}  {name}: a figure")

    def log_file(self, name: str, path: str, step: int) -> None:
        """Print the file's path."""
        if self._is_wanted(name):
            self._print(f"step {step}  {name}: {path}")

    def _is_wanted(self, name: str) -> bool:
        return self.only is None or name.startswith(self.only)

    def _print(self, what: Any) -> None:
        if not self._enabled:
            return
        if self.console is not None:
            self.console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))
            return
        # The console's own print would bypass the live bars, which take over sys.stdout.
        print(_text(what), file=text_output(self.file), flush=True)


def _text(what: Any) -> str:
    if isinstance(what, str):
        return what

    from rich.console import Console

    page = io.StringIO()
    Console(file=page, width=shutil.get_terminal_size().columns).print(what)
    return page.getvalue().rstrip()


def _cell(value: Any) -> str:
    is_float = isinstance(value, (float, np.floating))
    return format_number(float(value)) if is_float else str(value)
