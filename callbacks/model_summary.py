"""ModelSummary: which models a task trains, and how large they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, TextIO

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.callbacks.common.text_output import text_output
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.html_table import html_table
from lightning_tf.keras_internals import flat_layers
from lightning_tf.notebook import CellOutput, in_notebook
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import shown_components

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("name", "type", "output shape", "trainable", "non-trainable", "MiB")
TEXT_COLUMNS = 3  # the first three; the others are numbers, aligned right
UNKNOWN = "?"


@dataclass(frozen=True)
class SummaryRow:
    """One model, layer or variable of a task.

    Attributes:
        name: The path from the task, such as ``model.dense_1``, indented by its depth.
        kind: Its class.
        output_shape: ``(None, 10)``, or ``?`` where the layer does not tell.
        trainable: Elements of the weights that train now.
        non_trainable: Elements of those that do not: frozen layers and moving statistics.
        size: Bytes of both in MiB.
    """

    name: str
    kind: str
    output_shape: str
    trainable: int
    non_trainable: int
    size: float

    def texts(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        *first, trainable, non_trainable, size = astuple(self)
        return (*first, f"{trainable:,}", f"{non_trainable:,}", f"{size:,.3f}")


class ModelSummary(Callback):
    """Prints a table of the task's models when fit starts.

    A row has the attribute's name, its class and output shape, the numbers of weights that train
    and that do not, and their size. The last row counts a weight that models share once.

    Args:
        max_depth: 1 for the task's attributes alone, more for the layers inside them, -1 for all.
        console: A rich console to print on; made for `file` where it is None.
        file: Where to print; standard output, or the output of a notebook's cell, where it is
            None. What is no terminal gets text.

    Raises:
        ConfigurationError: `max_depth` is neither positive nor -1, or there are both `console` and
            `file`.

    Example:
        >>> Trainer(max_epochs=1, callbacks=[ModelSummary(max_depth=2)]).fit(task)
    """

    logs_metrics = False

    def __init__(
        self, max_depth: int = 1, console: Console | None = None, file: TextIO | None = None
    ) -> None:
        if max_depth < 1 and max_depth != -1:
            raise ConfigurationError(
                f"ModelSummary(max_depth={max_depth!r}): give a depth of at least 1, or -1 for all."
            )
        if console is not None and file is not None:
            raise ConfigurationError("ModelSummary got both console and file; give one of them.")
        self.max_depth, self.console, self.file = max_depth, console, file

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Print the table."""
        if trainer.is_global_zero:
            self._print(list(summary_rows(task, self.max_depth)))

    def _print(self, rows: list[SummaryRow]) -> None:
        if self.console is None and self.file is None and in_notebook():
            table = html_table(COLUMNS, [row.texts() for row in rows], TEXT_COLUMNS)
            CellOutput().show({"text/html": table, "text/plain": format_table(rows)})
            return

        console = self._terminal()
        if console is None:
            print(format_table(rows), file=text_output(self.file), flush=True)
            return

        from rich.table import Table
        from rich.text import Text

        drawn = Table()
        for index, column in enumerate(COLUMNS):
            drawn.add_column(column, justify="left" if index < TEXT_COLUMNS else "right")
        for index, row in enumerate(rows):
            drawn.add_row(*map(Text, row.texts()), end_section=index == len(rows) - 2)
        console.print(drawn)

    def _terminal(self) -> Console | None:
        if self.console is not None or not text_output(self.file).isatty():
            return self.console

        from rich.console import Console

        return Console(file=self.file)


def summary_rows(task: Task, max_depth: int = 1) -> Iterator[SummaryRow]:
    """Yield the rows of a task's table: its attributes, the layers inside them, and the total.

    Args:
        task: One whose models are built.
        max_depth: As in `ModelSummary`.
    """
    everything = []
    for name, component in shown_components(task):
        if isinstance(component, keras.random.SeedGenerator):
            continue
        yield from _rows_of(name, component, 1, max_depth)
        everything += _weights(component)
    yield _row("total", "", "", everything)


def format_table(rows: Iterable[SummaryRow]) -> str:
    """Return the table as plain text."""
    lines = [COLUMNS, *(row.texts() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]

    def align(line: tuple[str, ...]) -> str:
        cells = [
            cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(map(align, lines))


def _rows_of(name: str, component: Any, depth: int, max_depth: int) -> Iterator[SummaryRow]:
    shape = _output_shape(component) if isinstance(component, keras.Layer) else str(component.shape)
    indented = "  " * (depth - 1) + name
    yield _row(indented, type(component).__name__, shape, _weights(component))
    if depth != max_depth and isinstance(component, keras.Layer):
        for layer in flat_layers(component, include_self=False, recursive=False):
            # An InputLayer has nothing to show.
            if not isinstance(layer, keras.layers.InputLayer):
                yield from _rows_of(layer.name, layer, depth + 1, max_depth)


def _row(name: str, kind: str, shape: str, weights: list[Any]) -> SummaryRow:
    counts = {True: 0, False: 0}
    size = 0
    # A weight that two models share counts once.
    for weight in {id(weight): weight for weight in weights}.values():
        elements = math.prod(weight.shape)
        counts[bool(weight.trainable)] += elements
        size += elements * int(tf.as_dtype(weight.dtype).size)
    return SummaryRow(name, kind, shape, counts[True], counts[False], size / 2**20)


def _weights(component: Any) -> list[Any]:
    return list(component.weights) if isinstance(component, keras.Layer) else [component]


def _output_shape(layer: keras.Layer) -> str:
    """Return the shape that Keras recorded for a functional layer; trace any other layer."""
    try:
        # A functional layer knows its output.
        return _text(keras.tree.map_structure(lambda tensor: tensor.shape, layer.output))
    except (AttributeError, ValueError):
        pass  # never called on symbolic tensors, or more than once

    # Traced on the shapes that the layer was built with.
    try:
        built = layer.get_build_config() or {}
        shapes = built.get("shapes_dict") or {"input_shape": built["input_shape"]}
        inputs = [keras.KerasTensor((None, *shape[1:])) for shape in shapes.values()]
        outputs = layer.compute_output_spec(*inputs)
        return _text(keras.tree.map_structure(lambda tensor: tensor.shape, outputs))
    except Exception:  # whatever a user's layer raises, a summary ends no run
        return UNKNOWN


def _text(shapes: Any) -> str:
    return str(shapes).replace("'", "")
