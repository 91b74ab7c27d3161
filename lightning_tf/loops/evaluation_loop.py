"""EvaluationLoop: validation and test, on the host side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lightning_tf.exceptions import DataError
from lightning_tf.graph.metrics import Means, StageMetrics
from lightning_tf.graph.step import EvaluationStep
from lightning_tf.graph.window import Window
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import Limit, limited, refuse_endless
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.loops.worker_agreement import agreed, check_signals

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class EvaluationLoop:
    """Runs validation or test: windows of batches, one wait for the device at the end.

    Args:
        trainer: Gives hooks, limits and precision.
        task: Gives the step and the metrics.
        hook_name: ``validation`` or ``test``, as in ``on_validation_start``.
        prefix: ``val`` or ``test``, as in ``val_loss``.
        metrics: The stage's copies of the task's metrics.
        dataset: Batches; the same object is iterated each time.
        limit: The Trainer's ``limit_val_batches`` or ``limit_test_batches``.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        *,
        hook_name: str,
        prefix: str,
        metrics: StageMetrics,
        dataset: tf.data.Dataset,
        limit: Limit,
    ) -> None:
        self.trainer, self.task, self.metrics = trainer, task, metrics
        self.hook_name, self.prefix = hook_name, prefix
        self.dataset, self.length = limited(
            dataset, limit, f"limit_{prefix}_batches", f"{prefix}_dataset"
        )
        refuse_endless(self.dataset, f"limit_{prefix}_batches", f"{prefix}_dataset")
        self._window: Window | None = None
        self._clock = WindowClock()

    @property
    def window(self) -> Window:
        """The compiled step, traced at its first use."""
        if self._window is None:
            self.task._metrics = self.metrics.metrics
            with self.trainer.profiler.region(f"tracing {self.hook_name}_step"):
                self._window = Window(
                    EvaluationStep(self.task, f"{self.hook_name}_step"),
                    self.metrics,
                    self.trainer.placement,
                    self.dataset.element_spec,
                    known_length=self.length is not None,
                    keeps_last=self.trainer.hooks.watches_batches(self.hook_name),
                    jit_compile=self.trainer.jit_compile,
                )
            shown = self.trainer.prog_bar_metrics
            shown |= {self._prefixed(name) for name in self._window.names if name in shown}
        return self._window

    def names(self) -> set[str]:
        """The names that it logs, prefixed."""
        known = (*self.window.names, *self.metrics.metrics)
        return {self._prefixed(name) for name in known}

    def run(self, max_batches: int | None = None) -> dict[str, float]:
        """Evaluate and return the means over all examples.

        Args:
            max_batches: Stop after so many batches (the sanity check); None runs all.
        """
        hooks, stage = self.trainer.hooks, self.hook_name
        self.task._metrics = self.metrics.metrics
        self.metrics.reset()
        hooks(f"on_{stage}_start")
        hooks(f"on_{stage}_epoch_start")
        values = self._run_windows(max_batches)
        self.trainer.measured(values)
        hooks(f"on_{stage}_epoch_end")
        hooks(f"on_{stage}_end")
        return values

    def _run_windows(self, max_batches: int | None) -> dict[str, float]:
        lengths = [n for n in (self.length, max_batches) if n is not None]
        length = min(lengths, default=None)
        by_batch = self.trainer.hooks.watches_batches(self.hook_name)
        window = self.window
        carry, done, result = window.zero, 0, None
        with EpochIterator(self.dataset) as epoch:
            while length is None or done < length:
                count = 1 if by_batch else self._clock.count
                count = agreed(self.trainer, count if length is None else min(count, length - done))
                if by_batch:
                    self.trainer.hooks(f"on_{self.hook_name}_batch_start", done)
                began = time.perf_counter()
                with self.trainer.profiler.region(f"{self.hook_name} windows"):
                    result = window(epoch.iterator, count, carry)
                    # A wait of its own only where the end of the data is unknown.
                    ran = count if window.known_length else int(result.batches)
                self._clock.measured(max(ran, 1), time.perf_counter() - began)
                carry = (result.sums, result.finite)
                if ran and result.last is not None:
                    outputs = self._values(window, result.last.numpy())
                    self.trainer.hooks(f"on_{self.hook_name}_batch_end", outputs, done)
                done += ran
                if ran:
                    self.trainer.hooks(f"on_{self.hook_name}_window_end", done)
                if ran < count:
                    break
                check_signals(self.trainer)
        if result is None or done == 0:
            raise DataError(f"{self.prefix}_dataset is empty: it holds no batch.")
        with self.trainer.profiler.region("waiting for the device"):
            values = self._values(window, result.sums.numpy())
            results = result.results.numpy().tolist()
        for name, value in zip(window.result_names, results, strict=False):
            values[self._prefixed(name)] = value
        return values

    def _values(self, window: Window, sums: Any) -> dict[str, float]:
        means = Means(window.names)
        means.add(sums)
        return {self._prefixed(name): value for name, value in means.take_row().items()}

    def _prefixed(self, name: str) -> str:
        return name if name.startswith(f"{self.prefix}_") else f"{self.prefix}_{name}"
