"""ProgressBar: what a run is doing, live on a terminal and in a notebook, else in lines."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TextIO

from lightning_tf.callback import Callback
from lightning_tf.callbacks.common.live_bars import LiveBars, aligned, format_number
from lightning_tf.callbacks.common.metrics_since import metrics_since
from lightning_tf.callbacks.common.notebook_bars import NotebookBars
from lightning_tf.callbacks.common.text_output import text_output
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.notebook import in_notebook
from lightning_tf.stage import TEST, TRAIN, VALIDATE, split_metric
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console

TRACING = "tracing the steps"


class ProgressBar(Callback):
    """Shows epochs, steps per second and metrics.

    On a terminal and in a notebook: a bar for the running epoch with the epoch's metrics so far,
    refreshed by time, and bars for validation, test and prediction. Everywhere: one line for each
    finished epoch ::

        epoch 3/20  loss 0.1234  accuracy 0.9567  val_loss 0.1402  (1.2 s, 850 steps/s)

    where the seconds include validation, and a step is an update (`trainer.global_step`) of
    training alone. It shows losses, the metrics of `configure_metrics`, and what is logged with
    ``prog_bar=True``. After `fit`, `validate` and `test` comes a table of all metrics: a column for
    each of training, validation and test that this Trainer has run. The bar tells the time that the
    rest of the fit takes at its pace so far. In a notebook all of this is one output, which is
    replaced in place and keeps the last lines and the table.

    The device is read only to refresh a bar; otherwise a window costs one look at the clock.

    Args:
        refresh_seconds: The least time between two refreshes.
        console: A rich console to draw on; made for `file` where it is None.
        file: Where to write; standard output, or the output of a notebook's cell, where it is None.
            Bars need a file to be a terminal.

    Raises:
        ConfigurationError: `refresh_seconds` is negative, or there are both `console` and `file`.

    Example:
        >>> Trainer(max_epochs=20, callbacks=[ProgressBar(refresh_seconds=2.0)]).fit(task)
    """

    logs_metrics = False
    runs_after_task = True  # the line of an epoch has what the task logs at its end

    def __init__(
        self,
        refresh_seconds: float = 0.5,
        console: Console | None = None,
        file: TextIO | None = None,
    ) -> None:
        if refresh_seconds < 0:
            raise ConfigurationError(
                f"ProgressBar(refresh_seconds={refresh_seconds!r}): give seconds of at least 0."
            )
        if console is not None and file is not None:
            raise ConfigurationError("ProgressBar got both console and file; give one of them.")

        self.refresh_seconds = refresh_seconds
        self.console, self.file = console, file

        self._stage = ""
        self._bars: LiveBars | NotebookBars | None = None
        self._next_refresh = self._next_move = 0.0
        self._epoch_began = self._validation_began = 0.0
        self._fit_began, self._fit_start = 0.0, 0.0
        self._validation_seconds = 0.0
        self._epoch_start_step = self._predicted = 0
        self._in_epoch = False

    # ---- the display

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Open the display; workers other than the first show nothing."""
        self._stage = stage
        if not trainer.is_global_zero:
            return
        # A live bar would draw over the prompt of a debugger.
        self._bars = None if trainer.run_eagerly else self._display()

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Close the display."""
        self._close()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Close the display, or the terminal would be left without its cursor."""
        self._close()

    def _display(self) -> LiveBars | NotebookBars | None:
        if self.console is None and self.file is None and in_notebook():
            return NotebookBars()
        console = self._terminal()
        return None if console is None else LiveBars(console)

    def _terminal(self) -> Console | None:
        """Return the console to draw bars on; None where there is no terminal."""
        console, file = self.console, text_output(self.file)
        if console is None and file.isatty():
            from rich.console import Console  # slow to import: only where it draws

            console = Console(file=file)
        return console if console is not None and console.is_interactive else None

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.close()
            self._bars = None

    def _print(self, trainer: Trainer, line: str) -> None:
        if not trainer.is_global_zero:
            return

        if self._bars is not None:
            self._bars.print(line)
        elif self.console is not None:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=text_output(self.file), flush=True)

    # ---- training

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Fill the seconds in which steps are traced."""
        self._begin(TRACING, None)

    def on_sanity_check_start(self, trainer: Trainer, task: Task) -> None:
        """Remove what filled them."""
        self._end(TRACING)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Begin the clock of the whole fit."""
        self._end(TRACING)
        self._fit_began, self._fit_start = time.perf_counter(), _share_done(trainer) or 0.0

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Start the epoch's bar."""
        self._epoch_began, self._in_epoch = time.perf_counter(), True
        self._validation_seconds = 0.0
        self._epoch_start_step = trainer.global_step  # of this fit's part, for the rate

        self._next_refresh = self._epoch_began + self.refresh_seconds
        if self._bars is not None:
            total = trainer.num_training_batches
            self._bars.begin("train", _epoch_name(trainer), total, trainer.batch_idx)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Refresh the bar when it is due."""
        if self._bars is None or time.perf_counter() < self._next_refresh:
            return

        # Waits for the device: the one read that the bar costs.
        values = _select(trainer, task, trainer.running_metrics())
        rate = "  ".join(part for part in (self._rate(trainer), self._rest(trainer)) if part)
        self._bars.update("train", trainer.batch_idx, rate, _metrics_text(values))
        self._next_refresh = time.perf_counter() + self.refresh_seconds

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Replace the epoch's bar by its line."""
        self._end("train")
        self._in_epoch = False

        # Values of an older validation are none of this epoch.
        measured = metrics_since(trainer, self._epoch_start_step)
        metrics = _metrics_text(_select(trainer, task, measured))
        seconds = time.perf_counter() - self._epoch_began
        parts = [_epoch_name(trainer), metrics, f"({seconds:.1f} s, {self._rate(trainer)})"]
        self._print(trainer, "  ".join(part for part in parts if part))

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Print the line of an epoch that a limit cut."""
        if self._in_epoch:
            self.on_train_epoch_end(trainer, task)

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Print the metrics."""
        self._print_table(trainer)

    def _rest(self, trainer: Trainer) -> str:
        """Return the time that the rest of the fit takes at its pace so far, validation included.

        Empty where nobody knows how long it is.
        """
        done = _share_done(trainer)
        if done is None or done <= self._fit_start:
            return ""
        spent = time.perf_counter() - self._fit_began
        left = timedelta(seconds=round(spent * (1.0 - done) / (done - self._fit_start)))
        return f"{left} left"

    def _rate(self, trainer: Trainer) -> str:
        """Return the updates per second of the epoch so far, validation left out."""
        # Validation has a speed of its own.
        seconds = time.perf_counter() - self._epoch_began - self._validation_seconds
        rate = (trainer.global_step - self._epoch_start_step) / max(seconds, 1e-9)
        return f"{rate:,.0f} steps/s" if rate >= 10 else f"{rate:.2f} steps/s"

    # ---- validation, test, prediction

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Start the bar of a validation or a sanity check."""
        self._validation_began = time.perf_counter()
        name = "sanity check" if trainer.sanity_checking else "validation"
        self._begin(name, None if trainer.sanity_checking else trainer.num_val_batches)

    def on_validation_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """Move the bar when it is due."""
        self._move("sanity check" if trainer.sanity_checking else "validation", batches)

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Remove the bar; outside fit, print the metrics."""
        self._validation_seconds += time.perf_counter() - self._validation_began
        self._end("sanity check" if trainer.sanity_checking else "validation")
        if self._stage == "validate":
            self._print_table(trainer)

    def on_test_start(self, trainer: Trainer, task: Task) -> None:
        """Start the bar."""
        self._begin("test", trainer.num_test_batches)

    def on_test_window_end(self, trainer: Trainer, task: Task, batches: int) -> None:
        """Move the bar when it is due."""
        self._move("test", batches)

    def on_test_end(self, trainer: Trainer, task: Task) -> None:
        """Remove the bar and print the metrics."""
        self._end("test")
        self._print_table(trainer)

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Start the bar."""
        self._predicted = 0
        self._begin("predict", trainer.num_predict_batches)

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """Move the bar when it is due."""
        self._predicted += 1  # of all data sets, each of which begins with 0
        self._move("predict", self._predicted)

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Remove the bar."""
        self._end("predict")

    def _begin(self, name: str, total: int | None) -> None:
        if self._bars is not None:
            self._bars.begin(name, name, total, 0)
            self._next_move = time.perf_counter() + self.refresh_seconds

    def _move(self, name: str, batches: int) -> None:
        now = time.perf_counter()
        if self._bars is not None and now >= self._next_move:
            self._bars.update(name, batches, "", "")
            self._next_move = now + self.refresh_seconds

    def _end(self, name: str) -> None:
        if self._bars is not None:
            self._bars.end(name)

    def _print_table(self, trainer: Trainer) -> None:
        rows = _table(trainer.callback_metrics)
        if self._bars is not None:
            self._bars.table(rows)
            return

        for line in aligned(rows)[len(rows[0]) <= 2 :]:  # one column needs no head
            self._print(trainer, line)


def _table(metrics: dict[str, float]) -> list[list[str]]:
    """Return the rows of a table of metrics, the first of them its head.

    Those of one stage stand under their own names, those of several in a column for each.
    """
    split = {name: split_metric(name) for name in metrics}
    stages = [s for s in (TRAIN, VALIDATE, TEST) if s in {stage for stage, _ in split.values()}]
    if len(stages) < 2:
        return [["metric", "value"], *([n, format_number(v)] for n, v in metrics.items())]

    cells = {split[name]: format_number(value) for name, value in metrics.items()}
    names = dict.fromkeys(base for _, base in split.values())
    head = ["metric", *(stage.prefix for stage in stages)]
    return [head, *([n, *(cells.get((s, n), "") for s in stages)] for n in names)]


def _share_done(trainer: Trainer) -> float | None:
    """Return how much of the fit is done, from 0 to 1; None where only time or nothing ends it."""
    total = trainer.estimated_stepping_batches
    return None if math.isinf(total) or total <= 0 else min(trainer.global_step / total, 1.0)


def _epoch_name(trainer: Trainer) -> str:
    of = "" if trainer.max_epochs is None else f"/{trainer.max_epochs}"
    return f"epoch {trainer.current_epoch + 1}{of}"


def _select(trainer: Trainer, task: Task, values: dict[str, float]) -> dict[str, float]:
    """Return the values that a line shows, those of training first."""
    wanted = {"loss", *task.metrics, *trainer.prog_bar_metrics}

    def is_shown(name: str) -> bool:
        base = split_metric(name)[1]
        return base in wanted or name in wanted or base.endswith("_loss")

    names = sorted(filter(is_shown, values), key=lambda name: name != split_metric(name)[1])
    return {name: values[name] for name in names}


def _metrics_text(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {format_number(value)}" for name, value in values.items())
