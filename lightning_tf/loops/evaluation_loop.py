"""EvaluationLoop: validation and test, on the host side."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from lightning_tf.data.named_sets import NamedSets, by_name
from lightning_tf.graph.names import check_names
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.window import Window
from lightning_tf.loops.evaluation_set import EvaluationSet
from lightning_tf.stage import split_metric

if TYPE_CHECKING:
    import tensorflow as tf

    from lightning_tf.stage import Stage
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class EvaluationLoop:
    """Runs validation or test on one data set or, in their order, on several.

    Args:
        trainer: Gives hooks, limits and precision.
        task: Gives the step and the metrics, of which every data set has copies of its own.
        stage: `VALIDATE` or `TEST`.
        datasets: Batches; the same objects are iterated each time.

    Attributes:
        sets: The data sets, most often one.
    """

    def __init__(
        self, trainer: Trainer, task: Task, stage: Stage, datasets: tf.data.Dataset | NamedSets
    ) -> None:
        self.trainer, self.task, self.stage = trainer, task, stage
        self.sets = [
            EvaluationSet(
                trainer,
                task,
                stage,
                StageMetrics(task, trainer.placement),
                dataset,
                name,
                self._note_names,
            )
            for name, dataset in by_name(datasets).items()
        ]
        self._values: dict[str, float] = {}  # of the data sets that are done
        self._running: EvaluationSet | None = None

    @property
    def length(self) -> int | None:
        """Batches of all data sets; None where that is unknown."""
        lengths = [each.length for each in self.sets if each.length is not None]
        return sum(lengths) if len(lengths) == len(self.sets) else None

    @property
    def metrics(self) -> list[StageMetrics]:
        """Each data set's copies of the task's metrics."""
        return [each.metrics for each in self.sets]

    def compile(self) -> list[Window]:
        """Trace the step for each data set, unless that is done."""
        windows = [each.compile() for each in self.sets]
        for metrics, other in combinations(self.metrics, 2):
            metrics.refuse_shared(other)
        return windows

    def _note_names(self) -> None:
        """Check and note what is measured, as far as steps are traced."""
        givers = [giver for each in self.sets for giver in each.givers]
        check_names(self.stage, givers)
        self.trainer.status.note_names(self.stage, givers)

    def names(self) -> set[str]:
        """Return the names that it measures."""
        return set().union(*(each.names() for each in self.sets))

    def run(self, max_batches: int | None = None) -> dict[str, float]:
        """Evaluate and return the means over all examples.

        Args:
            max_batches: Stop after so many of each data set (the sanity check); None runs all.
        """
        hooks, hook = self.trainer.hooks, self.stage.hook
        self._values, self._running = {}, None
        self._lend_metrics()
        for each in self.sets:
            each.reset()
        self.trainer.records.forget_recent()
        self.trainer.state.begin_evaluation(self)

        hooks(f"on_{hook}_start")
        hooks(f"on_{hook}_epoch_start")
        values = self._run_sets(max_batches)

        # Before the hooks at the end: they may monitor the values.
        self.trainer.measured(values)
        hooks(f"on_{hook}_epoch_end")
        hooks(f"on_{hook}_end")
        logged = self.trainer.records.recent.items()  # by the hooks too
        return values | {n: v for n, v in logged if split_metric(n)[0] is self.stage}

    def _run_sets(self, max_batches: int | None) -> dict[str, float]:
        status, done = self.trainer.status, 0
        if len(self.sets) > 1:
            self.compile()  # names that meet are refused before any of them is measured
        for each in self.sets:
            self._running = each
            with status.on_dataset(each.name):
                values, batches = each.run(max_batches, done)
            self._values, done = self._values | values, done + batches
            if status.stage_ends:  # with this batch, of whichever data set
                break

        self._running = None
        self._lend_metrics()
        return self._values

    def _lend_metrics(self) -> None:
        """Let hooks find the metrics; those of several data sets by names that tell which."""
        if len(self.sets) == 1:
            self.sets[0].take_metrics()
            return
        self.task.take_metrics(
            {name: m for each in self.sets for name, m in each.own_metrics.items()},
            {name: m for each in self.sets for name, m in each.host_metrics.items()},
        )

    def peek(self) -> dict[str, float]:
        """Return the means and metrics over the batches so far; waits for the device."""
        running = {} if self._running is None else self._running.peek()
        return {**self._values, **running}
