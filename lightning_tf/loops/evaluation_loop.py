"""EvaluationLoop: validation and test, on the host side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.exceptions import DataError
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.means import mean_values
from lightning_tf.graph.names import check_names
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.window import Window, WindowResult
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import limited
from lightning_tf.loops.retracing import has_changed
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.loops.worker_agreement import agreed, check_signals
from lightning_tf.stage import split_metric

if TYPE_CHECKING:
    from lightning_tf.stage import Stage
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


OUTPUT_BYTES = 2**24  # of what a window collects for host metrics


class EvaluationLoop:
    """Runs validation or test: windows of batches, one wait for the device at the end.

    Args:
        trainer: Gives hooks, limits and precision.
        task: Gives the step and the metrics.
        stage: `VALIDATE` or `TEST`.
        metrics: The stage's copies of the task's metrics.
        dataset: Batches; the same object is iterated each time.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        stage: Stage,
        metrics: StageMetrics,
        dataset: tf.data.Dataset,
    ) -> None:
        self.trainer, self.task, self.stage, self.metrics = trainer, task, stage, metrics
        self.dataset, self.length = limited(trainer, stage, dataset)
        self._window: Window | None = None
        self._told: set[str] = set()
        self._clock = WindowClock()
        self._result: WindowResult | None = None

    def compile(self) -> Window:
        """Trace the step, unless that is done."""
        if self._window is not None and not has_changed(self._window, self._told):
            return self._window

        self.task.take_metrics(self.metrics.metrics, self.metrics.host)
        with self.trainer.profiler.region(f"tracing {self.stage.step}"):
            self._window = Window(
                EvaluationStep(self.task, self.stage.step),
                self.metrics,
                self.trainer.placement,
                self.dataset.element_spec,
                known_length=self.length is not None,
                keeps_last=self.trainer.hooks.watches_batches(self.stage.hook),
                collects=bool(self.metrics.host),
                jit_compile=self.trainer.jit_compile,
            )
        self.trainer.state.note_step(self.trainer, self.task, self._window)

        givers = (*self._window.givers, *self.metrics.host_givers())
        check_names(self.stage, givers)
        self.trainer.status.note_names(self.stage, givers)

        # What the bar shows of training it shows of validation too.
        shown = self.trainer.prog_bar_metrics
        self.trainer.show_in_progress_bar(
            *(self.stage.metric(name) for name in self._window.names if name in shown)
        )
        return self._window

    def names(self) -> set[str]:
        """Return the names that it measures."""
        hosts = {name for name, _ in self.metrics.host_givers()}
        return {self.stage.metric(name) for name in self.compile().measured_names | hosts}

    def run(self, max_batches: int | None = None) -> dict[str, float]:
        """Evaluate and return the means over all examples.

        Args:
            max_batches: Stop after so many batches (the sanity check); None runs all.
        """
        hooks, hook = self.trainer.hooks, self.stage.hook
        self.task.take_metrics(self.metrics.metrics, self.metrics.host)
        self.metrics.reset()
        self.trainer.records.forget_recent()
        self.trainer.state.begin_evaluation(self)
        self._result = None

        hooks(f"on_{hook}_start")
        hooks(f"on_{hook}_epoch_start")
        values = self._run_windows(max_batches)

        # Before the hooks at the end: they may monitor the values.
        self.trainer.measured(values)
        hooks(f"on_{hook}_epoch_end")
        hooks(f"on_{hook}_end")
        logged = self.trainer.records.recent.items()  # by the hooks too
        return values | {n: v for n, v in logged if split_metric(n)[0] is self.stage}

    def _run_windows(self, max_batches: int | None) -> dict[str, float]:
        trainer, hook = self.trainer, self.stage.hook
        length = min((n for n in (self.length, max_batches) if n is not None), default=None)
        by_batch = trainer.hooks.watches_batches(hook)
        window = self.compile()
        carry, done, result = window.zero, 0, None

        with EpochIterator(self.dataset) as epoch:
            while length is None or done < length:
                count = 1 if by_batch or trainer.status.stage_ends else self._clock.count
                count = max(1, min(count, OUTPUT_BYTES // window.outputs_bytes))
                count, _ = agreed(trainer, count if length is None else min(count, length - done))
                if by_batch:
                    trainer.hooks(f"on_{hook}_batch_start", done)

                window, began = self.compile(), time.perf_counter()
                with trainer.profiler.region(f"{hook} windows"):
                    position = trainer.progress.position
                    result = window(epoch.iterator, count, carry, position=position)
                    # A wait of its own only where the end of the data is unknown.
                    ran = count if window.known_length else int(result.batches)
                self._clock.measured(max(ran, 1), time.perf_counter() - began)
                carry = (result.sums, result.finite)
                self._result = result
                if not trainer.sanity_checking:
                    self._update_host_metrics(window, result)

                if ran and result.last is not None:
                    outputs = self._means(window, result.last.numpy())
                    trainer.hooks(f"on_{hook}_batch_end", outputs, done)
                done += ran
                if ran:
                    trainer.hooks(f"on_{hook}_window_end", done)
                if ran < count or trainer.status.stage_ends:
                    break
                check_signals(trainer)

        if result is None or done == 0:
            raise DataError(f"{self.stage.dataset} is empty: it holds no batch.")
        return self._read(window, result)

    def _update_host_metrics(self, window: Window, result: WindowResult) -> None:
        """Wait for what the window collected, and hand it over; every worker has all rows."""
        gather = self.trainer.workers.all_gather_rows
        for outputs in window.read_outputs(result):
            rows = tf.nest.map_structure(gather, outputs)
            for metric in self.metrics.host.values():
                metric.update(rows)

    def peek(self) -> dict[str, float]:
        """Return the means and metrics over the batches so far; waits for the device."""
        if self._window is None or self._result is None:
            return {}
        means = self._means(self._window, self._result.sums.numpy())
        results = self._window.read_results(self._result)
        return {**means, **{self.stage.metric(name): value for name, value in results.items()}}

    def _read(self, window: Window, result: WindowResult) -> dict[str, float]:
        """Wait for the device, once for all windows."""
        with self.trainer.profiler.region("waiting for the device"):
            means = self._means(window, result.sums.numpy())
            results = window.read_results(result)
        if not self.trainer.sanity_checking:
            results |= self.metrics.host_values()
        return {**means, **{self.stage.metric(name): value for name, value in results.items()}}

    def _means(self, window: Window, sums: Any) -> dict[str, float]:
        means = mean_values(window.names, sums)
        return {self.stage.metric(name): value for name, value in means.items()}
