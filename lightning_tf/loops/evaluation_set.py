"""EvaluationSet: one data set of a validation or a test, with its step, metrics and values."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.means import mean_values
from lightning_tf.graph.names import Givers
from lightning_tf.graph.window import BATCH, COLLECTED, Window, WindowResult
from lightning_tf.host_metric import HostMetric
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.limits import limited
from lightning_tf.loops.make_window import make_window
from lightning_tf.loops.retracing import has_changed
from lightning_tf.loops.window_clock import WindowClock
from lightning_tf.loops.worker_agreement import agreed, check_signals

if TYPE_CHECKING:
    import keras

    from lightning_tf.graph.stage_metrics import StageMetrics
    from lightning_tf.stage import Stage
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


OUTPUT_BYTES = 2**24  # of what a window collects for host metrics


class EvaluationSet:
    """Runs a stage's step on one data set: windows of batches, one wait for the device at the end.

    Args:
        trainer: Gives hooks, limits and precision.
        task: Gives the step and the metrics.
        stage: `VALIDATE` or `TEST`.
        metrics: The set's copies of the task's metrics.
        dataset: Batches; the same object is iterated each time.
        name: Of the data set, where there are several: it stands in the names of all values.
        note_traced: Called when the step was traced, which may be more than once.

    Attributes:
        length: Batches; None where that is unknown.
    """

    def __init__(
        self,
        trainer: Trainer,
        task: Task,
        stage: Stage,
        metrics: StageMetrics,
        dataset: tf.data.Dataset,
        name: str | int | None,
        note_traced: Callable[[], None],
    ) -> None:
        self.trainer, self.task, self.stage, self.metrics = trainer, task, stage, metrics
        self.name, self._note_traced = None if name is None else str(name), note_traced
        what = stage.dataset if name is None else f"{stage.dataset}, data set {name!r},"
        self.dataset, self.length = limited(trainer, stage, dataset, what)
        self._window: Window | None = None
        self._told: set[str] = set()
        self._clock = WindowClock()
        self._result: WindowResult | None = None
        self._rows: dict[str, int] = {}  # of what is collected, by name

    # ---- names

    def metric(self, name: str) -> str:
        """Return the name under which users see a value of this data set."""
        return self.stage.metric(self._own(name))

    def _own(self, name: str) -> str:
        if self.name is None:
            return name
        return f"{self.name}_{name.removeprefix(f'{self.stage.prefix}_')}"

    @property
    def givers(self) -> Givers:
        """The names of all values, each with what gives it; none before the step is traced."""
        if self._window is None:
            return ()
        of_set = "" if self.name is None else f" of data set {self.name!r}"
        givers = (*self._window.givers, *self.metrics.host_givers())
        return tuple((self._own(name), f"{giver}{of_set}") for name, giver in givers)

    @property
    def own_metrics(self) -> dict[str, keras.metrics.Metric]:
        """The metrics of the graph, by the names under which hooks find them."""
        return {self._own(name): metric for name, metric in self.metrics.metrics.items()}

    @property
    def host_metrics(self) -> dict[str, HostMetric]:
        """The metrics that Python computes, by the names under which hooks find them."""
        return {self._own(name): metric for name, metric in self.metrics.host.items()}

    def names(self) -> set[str]:
        """Return the names that it measures."""
        hosts = {name for name, _ in self.metrics.host_givers()}
        return {self.metric(name) for name in self.compile().measured_names | hosts}

    # ---- running

    def compile(self) -> Window:
        """Trace the step, unless that is done."""
        with self.trainer.status.on_dataset(self.name):
            return self._compiled()

    def _compiled(self) -> Window:
        if self._window is not None and not has_changed(self._window, self._told):
            return self._window

        self.take_metrics()
        with self.trainer.profiler.region(f"tracing {self.stage.step}"):
            self._window = make_window(
                self.trainer,
                EvaluationStep(self.task, self.stage.step),
                self.metrics,
                self.dataset,
                known_length=self.length is not None,
                keeps_last=self.trainer.hooks.watches_batches(self.stage.hook),
                collects=self._collects,
                keeps_batches=self.trainer.hooks.reads_batches(self.stage.hook),
            )
        self._refuse_met(self._window)
        self.trainer.state.note_step(self.trainer, self.task, self._window)
        self._note_traced()

        # What the bar shows of training it shows of validation too.
        shown = self.trainer.prog_bar_metrics
        metrics = set() if self.name is None else set(self.metrics.metrics)
        self.trainer.show_in_progress_bar(
            *(self.metric(name) for name in self._window.names if name in shown),
            *(self.metric(name) for name in self._window.result_names if name in metrics),
        )
        return self._window

    def _refuse_met(self, window: Window) -> None:
        """Refuse what is collected under the name of a value: hooks of batches get both."""
        met = window.collected_names & {self.metric(name) for name in window.names}
        if met:
            raise ConfigurationError(
                f"{self.stage.step} collects {min(met)!r}, which is the name of a value that it "
                "logs; collect it under another name."
            )

    def take_metrics(self) -> None:
        """Let the task update this data set's metrics."""
        self.task.take_metrics(self.metrics.metrics, self.metrics.host)

    def reset(self) -> None:
        """Begin anew."""
        self._result, self._rows = None, {}
        self.metrics.reset()

    def run(self, max_batches: int | None, before: int) -> tuple[dict[str, float], int]:
        """Run the batches.

        Args:
            max_batches: Stop after so many; None runs all.
            before: Batches of the data sets before this one.

        Returns:
            The means over all examples by name, and the number of batches.

        Raises:
            DataError: The data set is empty.
        """
        trainer, hook = self.trainer, self.stage.hook
        length = min((n for n in (self.length, max_batches) if n is not None), default=None)
        by_batch = trainer.hooks.watches_batches(hook)
        self.take_metrics()
        window = self._compiled()
        carry, done, result = window.zero, 0, None
        activity = trainer.watchdog.activity

        with EpochIterator(self.dataset, trainer.placement.prefetch_device) as epoch:
            while length is None or done < length:
                count = 1 if by_batch or trainer.status.stage_ends else self._clock.count
                count = max(1, min(count, OUTPUT_BYTES // window.outputs_bytes))
                count, _ = agreed(trainer, count if length is None else min(count, length - done))
                if by_batch:
                    trainer.hooks(f"on_{hook}_batch_start", done)

                window, began = self._compiled(), time.perf_counter()
                with activity.running(), trainer.profiler.region(f"{hook} windows"):
                    position = trainer.progress.position
                    result = window(epoch.iterator, count, carry, position=position)
                    # A wait of its own only where the end of the data is unknown.
                    ran = count if window.known_length else int(result.batches)
                self._clock.measured(max(ran, 1), time.perf_counter() - began)
                carry = (result.sums, result.finite)
                self._result = result
                kept = self._take_outputs(window, result)
                if ran and result.last is not None:
                    outputs = {**self._means(window, result.last.numpy()), **kept[COLLECTED]}
                    trainer.hooks(f"on_{hook}_batch_end", outputs, kept.get(BATCH), done)
                done += ran
                if ran:
                    trainer.hooks(f"on_{hook}_window_end", before + done)
                if ran < count or trainer.status.stage_ends:
                    break
                check_signals(trainer)

        if result is None or done == 0:
            of_set = "" if self.name is None else f", data set {self.name!r},"
            raise DataError(f"{self.stage.dataset}{of_set} is empty: it holds no batch.")
        return self._read(window, result), done

    @property
    def _collects(self) -> bool:
        """Whether somebody takes what the step collects."""
        return bool(self.metrics.host) or self.trainer.hooks.has(f"on_{self.stage.hook}_batch_end")

    def _take_outputs(self, window: Window, result: WindowResult) -> dict[str, Any]:
        """Wait for what the window kept of its examples, and give it to the host metrics.

        Returns:
            What it kept of its last batch; every worker has all rows.
        """
        gather = self.trainer.workers.all_gather_rows
        rows: dict[str, Any] = {COLLECTED: {}}
        for outputs in window.read_outputs(result):
            rows = tf.nest.map_structure(gather, outputs)
            for name, collected in rows[COLLECTED].items():
                first = next(iter(tf.nest.flatten(collected)), ())
                self._rows[name] = self._rows.get(name, 0) + len(first)
            for metric in {} if self.trainer.sanity_checking else self.metrics.host.values():
                metric.update(rows[COLLECTED])
        return rows

    def peek(self) -> dict[str, float]:
        """Return the means and metrics over the batches so far; waits for the device."""
        if self._window is None or self._result is None:
            return {}
        means = self._means(self._window, self._result.sums.numpy())
        results = self._window.read_results(self._result)
        return {**means, **{self.metric(name): value for name, value in results.items()}}

    def _read(self, window: Window, result: WindowResult) -> dict[str, float]:
        """Wait for the device, once for all windows."""
        with self.trainer.profiler.region("waiting for the device"):
            means = self._means(window, result.sums.numpy())
            results = window.read_results(result)
        if self._rows:  # nobody else pays for another read
            self._check_rows(int(result.sums.numpy()[len(window.names)]))
        if not self.trainer.sanity_checking:
            results |= self.metrics.host_values()
        return {**means, **{self.metric(name): value for name, value in results.items()}}

    def _check_rows(self, examples: int) -> None:
        """Refuse what is collected of other than every example: it would differ by the devices.

        Raises:
            ConfigurationError: Names what was collected.
        """
        for name, rows in self._rows.items():
            if abs(rows - examples) > 1e-6 * examples:  # float32 counts to 16 million exactly
                raise ConfigurationError(
                    f"{self.stage.step} collected {rows} rows of {name!r} for {examples} examples; "
                    "collect one row for each, and let the host leave out what it does not need."
                )

    def _means(self, window: Window, sums: Any) -> dict[str, float]:
        means = mean_values(window.names, sums)
        return {self.metric(name): value for name, value in means.items()}
