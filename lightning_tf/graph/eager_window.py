"""EagerWindow: a window whose step runs op by op in Python, where a debugger can look into it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.graph.deferred_build import first_batch
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.step_weight import WeightFoundLate
from lightning_tf.graph.training_step import TrainingStep
from lightning_tf.graph.window import Window, WindowResult
from lightning_tf.step_context import POSITION, StepPosition


class EagerWindow(Window):
    """A `Window` that nothing is traced for: every batch runs the step's Python.

    Once, before the first batch, the step runs on one that does not count: only then is known what
    it measures. What that moves is put back.

    Args:
        step: A `TrainingStep` or an `EvaluationStep`.
        metrics: The stage's metrics.
        placement: Of one device.
        batches: The data set, whose first batch the step runs on.
        unmoved: Makes a context that puts back, at its end, every variable of the run.
        options: Those of `Window`.

    Example:
        >>> window = EagerWindow(step, metrics, placement, dataset, nullcontext, known_length=True)
        >>> window(iter(dataset), 10, window.zero).sums
    """

    def __init__(
        self,
        step: TrainingStep | EvaluationStep,
        metrics: StageMetrics,
        placement: Placement,
        batches: Any,
        unmoved: Callable[[], AbstractContextManager[None]],
        **options: Any,
    ) -> None:
        self._first, self._unmoved = first_batch(step.method, batches), unmoved
        super().__init__(step, metrics, placement, batches.element_spec, **options)

    def _make_step(self, element_spec: Any, jit_compile: bool) -> Any:
        self._batch: Any = self._run_batch
        self._reads: Any = None
        # As numbers: Python may compute with them, and each batch is called by itself.
        self._position = StepPosition({}, as_numbers=True)
        start = tf.zeros([len(POSITION)], tf.int32)

        with self._unmoved(), self.metrics.in_layers():
            while True:
                try:
                    _, kept = self._run_batch(self._first, tf.constant(True), start)
                    break
                except WeightFoundLate:
                    continue  # now it is known that statistics must be copied first
            self._results()  # which names the metrics
        self._first = None
        return tf.nest.map_structure(_spec_of_rows, kept)

    def _make_loop(self, element_spec: Any) -> None:
        self._loop = self._run_here
        self._flush = self.step.flush

    def __call__(self, *arguments: Any, **where: Any) -> WindowResult:
        """Run batches as `Window` does, each by itself."""
        with self.metrics.in_layers():
            return super().__call__(*arguments, **where)

    def _run_here(self, iterator: Any, *tensors: tf.Tensor) -> Any:
        return self._run_batches(lambda source: source.get_next(), iterator, *tensors)

    # ---- what a trace would tell

    @property
    def graph(self) -> tf.Graph | None:
        """None: there is no graph."""
        return None

    @property
    def most_batches(self) -> int | None:
        """Return 1: a step that reads its position reads a number of Python."""
        return 1

    def variables(self) -> list[tuple[tf.Variable, bool]]:
        """Return none: what a step uses beside the task's variables only a trace tells."""
        return []

    def change(self) -> tuple[str, Any, Any] | None:
        """Return None: the step reads Python values anew at every batch."""
        self.step.refuse_new_rates()
        return None


def _spec_of_rows(tensor: Any) -> Any:
    """Return the spec of a batch's rows, whose number is another in the last batch."""
    if not isinstance(tensor, tf.Tensor):
        return tf.type_spec_from_value(tensor)
    shape = tensor.shape if tensor.shape.rank == 0 else [None, *tensor.shape[1:]]
    return tf.TensorSpec(shape, tensor.dtype)
