"""Profilers: a table of where the time went, and a TensorBoard trace of some steps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_choice, checked_path
from lightning_tf.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

_NOTHING: AbstractContextManager[None] = nullcontext()


class Profiler(Callback):
    """Base of profilers: a callback that the loop also tells what it is doing.

    The base class measures nothing and costs nothing.
    """

    logs_metrics = False

    def region(self, name: str) -> AbstractContextManager[None]:
        """Return the context of a block of the loop's work; a block may lie inside another."""
        return _NOTHING


class SimpleProfiler(Profiler):
    """Prints at the end of fit where the time went, and writes the table to ``profile.txt``.

    Regions: tracing, making iterators, train windows, waiting for the device, log rows,
    validation, hooks by callback, checkpoints; the rest is the Python of the loop itself.

    Args:
        filename: Of the table, in the first logger's folder, or in `default_root_dir`.

    Example:
        >>> Trainer(max_epochs=1, profiler="simple").fit(task)
    """

    def __init__(self, filename: str = "profile.txt") -> None:
        self.filename = filename
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._began = 0.0
        self._inner_seconds = [0.0]  # for each open block, of the blocks inside it

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        self._inner_seconds.append(0.0)
        try:
            yield
        finally:
            # A region counts without the regions inside it, so that all of them add up.
            elapsed = time.perf_counter() - began
            outside_inner = elapsed - self._inner_seconds.pop()
            self._inner_seconds[-1] += elapsed
            self.seconds[name] = self.seconds.get(name, 0.0) + outside_inner
            self.calls[name] = self.calls.get(name, 0) + 1

    def region(self, name: str) -> AbstractContextManager[None]:
        """Time a block under its name."""
        return self._timed(name)

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Start the clock."""
        self.seconds.clear()
        self.calls.clear()
        self._began = time.perf_counter()

    def table(self) -> str:
        """Return the regions by time, and what is left, as text."""
        total = time.perf_counter() - self._began
        rows = sorted(self.seconds.items(), key=lambda row: -row[1])
        rows.append(("everything else", total - sum(self.seconds.values())))

        lines = [f"{'where the time went':<44}{'seconds':>9}{'share':>8}{'calls':>8}"]
        for name, spent in rows:
            calls = self.calls.get(name, "")
            lines.append(f"{name:<44}{spent:>9.3f}{spent / total:>8.1%}{calls:>8}")
        return "\n".join([*lines, f"{'total':<44}{total:>9.3f}"])

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Print the table and write it to its file."""
        if not trainer.is_global_zero:
            return
        table = self.table()
        print(table)  # the user asked for it; a logger may be switched off

        folder = trainer.log_dir or trainer.default_root_dir
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, self.filename), "w", encoding="utf-8") as file:
            file.write(table + "\n")


class TraceProfiler(Profiler):
    """Writes a TensorBoard trace of the updates from `first_step` to `last_step`.

    Of several workers only the chief does. Open the trace with ``tensorboard --logdir <folder>``
    (``pip install 'lightning-tf[tensorboard]'``) and the profile plugin.

    Args:
        first_step: How many updates are done when the trace begins.
        last_step: How many are done when it ends.
        dirpath: The folder; None takes the first logger's, or `default_root_dir`.

    Raises:
        ConfigurationError: `last_step` does not come after `first_step`.

    Example:
        >>> Trainer(max_steps=100, profiler=TraceProfiler(50, 60)).fit(task)
    """

    def __init__(
        self, first_step: int = 10, last_step: int = 20, dirpath: str | None = None
    ) -> None:
        if not 0 <= first_step < last_step:
            raise ConfigurationError(
                f"TraceProfiler({first_step}, {last_step}): give 0 <= first_step < last_step."
            )
        self.first_step, self.last_step = first_step, last_step
        self.dirpath = None if dirpath is None else checked_path("dirpath", dirpath)
        self._tracing = False

    def next_step(self, trainer: Trainer) -> int | None:
        """Return the next end of the trace, where a window has to end too."""
        ends = [step for step in (self.first_step, self.last_step) if step > trainer.global_step]
        return min(ends) if ends else None

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Begin at once where the first step is 0."""
        self._begin_if_due(trainer)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Begin or end where a window reached one of the two steps."""
        if self._tracing and trainer.global_step >= self.last_step:
            self._end()
        else:
            self._begin_if_due(trainer)

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """End a trace that training did not outlast."""
        self._end()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Close the trace: TensorFlow allows one at a time in a process."""
        self._end()

    def _begin_if_due(self, trainer: Trainer) -> None:
        due = trainer.global_step == self.first_step and trainer.is_global_zero
        if due and not self._tracing:
            folder = self.dirpath or trainer.log_dir or trainer.default_root_dir
            tf.profiler.experimental.start(os.path.abspath(folder))
            self._tracing = True

    def _end(self) -> None:
        if self._tracing:
            tf.profiler.experimental.stop()
            self._tracing = False


PROFILERS = {"simple": SimpleProfiler, "trace": TraceProfiler}


def resolve_profiler(profiler: Any) -> Profiler:
    """Return the profiler that the Trainer's argument names.

    Raises:
        ConfigurationError: It is neither a known name nor a Profiler.
    """
    if profiler is None:
        return Profiler()
    if isinstance(profiler, Profiler):
        return profiler
    kind: type[Profiler] = PROFILERS[checked_choice("profiler", profiler, PROFILERS)]
    return kind()
