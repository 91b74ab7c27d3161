"""Window: a step traced once and the loop around it, which run as one graph call."""

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch, count_examples
from lightning_tf.graph.custom_gradients import release_custom_gradients
from lightning_tf.graph.deferred_build import build_deferred_variables
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.graph_loop import GraphLoop, NextBatch
from lightning_tf.graph.means import weighted_sums
from lightning_tf.graph.names import Givers, check_names
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.training_step import Gradients, TrainingStep
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.stage import stage_of_step

log = logging.getLogger("lightning_tf")

# Operations that draw from a generator inside TensorFlow, whose position nobody can read.
UNSAVED_RANDOM = {
    "RandomUniform",
    "RandomUniformInt",
    "RandomStandardNormal",
    "TruncatedNormal",
    "RandomShuffle",
    "RandomGamma",
    "RandomPoissonV2",
    "Multinomial",
}


@dataclass(frozen=True)
class WindowResult:
    """What a window gives back; device tensors, read only where the loop chose to wait.

    Attributes:
        batches: How many batches ran, int64; fewer than asked for where the data ended.
        sums: Sums over the batches of value times examples, then the examples; float32 of shape
            (values + 1,), see `mean_values`.
        finite: For each of `sums`, how many batches of training ran while it was finite: a sum that
            once is NaN or infinite stays so, which tells the first bad batch for three small
            operations.
        results: What the metrics give now, and what the step counts; float32 of shape (results,).
        last: As `sums`, of the last batch alone; None unless the window keeps it.
    """

    batches: tf.Tensor
    sums: tf.Tensor
    finite: tf.Tensor
    results: tf.Tensor
    last: tf.Tensor | None = None


class Totals(NamedTuple):
    """What one batch hands on to the next in the graph's loop; named as in `WindowResult`.

    Every tensor that a loop carries costs some microseconds a batch. What nobody needs is therefore
    an empty tuple, which TensorFlow counts as no variable of the loop.
    """

    sums: tf.Tensor  # (values + 1,) float32
    finite: Any  # (values + 1,) float32, or ()
    last: Any  # (values + 1,) float32, or ()


class Window:
    """A step traced once and the loop around it; one trace serves windows of every length.

    The loop in the graph::

        for i in range(count):
            batch = next(iterator)
            for each replica batch:                             # on one device the batch
                losses, logged, gradients = step(replica_batch) # updates metrics
            vector = [losses, logged, 1] * examples
            vector, gradients = sums of both over replicas
            step.update(gradients)                              # updates variables
            sums += vector
        return sums, results of the metrics

    Args:
        step: A `TrainingStep` or an `EvaluationStep`.
        metrics: The stage's metrics.
        placement: Where the step runs: on one device, or on replicas that share every batch.
        element_spec: Of the data set's batches.
        known_length: False asks the iterator before every batch whether there is one, which costs
            about 0.1 ms a batch and lets a data set of unknown length end inside a window.
        accumulating: Whether several batches make one update; otherwise each one does.
        keeps_last: Whether the last batch's values are kept, for those who watch every batch.
        jit_compile: Whether XLA compiles the step.

    Attributes:
        names: Of the losses, then of the other logged values, as the step gave them when traced.
        loss_count: How many of the names are losses.
        result_names: Of the metrics' results and of what the step counts.
        givers: All names of the stage, each with what gives it.
        zero: The `carry` that begins anew.
    """

    def __init__(
        self,
        step: TrainingStep | EvaluationStep,
        metrics: StageMetrics,
        placement: Placement,
        element_spec: Any,
        *,
        known_length: bool,
        accumulating: bool = False,
        keeps_last: bool = False,
        jit_compile: bool = False,
    ) -> None:
        self.step = step
        self.metrics = metrics
        self.placement = placement
        self.known_length = known_length
        self.accumulating = accumulating
        self.keeps_last = keeps_last
        self.names: tuple[str, ...] = ()
        self.loss_count = 0
        self.result_names: tuple[str, ...] = ()
        self.givers: Givers = ()
        self._givers: Givers = ()  # those of the values alone
        self._stage = stage_of_step(step.method)

        if not placement.can_build_while_tracing and not metrics.are_built():
            build_deferred_variables(step.task, step.method, placement, element_spec)

        # The step is traced by itself, before the loop around it: the loop needs to know how many
        # values there are, and may be traced twice, the step only once.
        traced = tf.function(self._run_batch, autograph=False, jit_compile=jit_compile or None)
        self._slots = PackedSlots(placement)
        with step.packing(self._slots):
            self._batch = traced.get_concrete_function(element_spec, tf.TensorSpec((), tf.bool))
        metrics.note_captured(self._batch)
        release_custom_gradients(self._batch.graph, after=self)
        if step.trains:
            _warn_of_unsaved_random(self._batch)

        self.zero = (tf.zeros([len(self.names) + 1]),) * 2  # sums, finite
        sums = tf.TensorSpec.from_tensor(self.zero[0])
        plan = tf.TensorSpec([3], tf.int64)
        self._loop = GraphLoop(self._run_batches, element_spec, plan, sums, sums)

        if accumulating:
            flush = tf.function(step.flush, autograph=False)
            self._flush = flush.get_concrete_function()

    def __call__(
        self,
        iterator: Any,
        count: int,
        carry: tuple[tf.Tensor, tf.Tensor],
        *,
        phase: int = 0,
        every: int = 1,
    ) -> WindowResult:
        """Run `count` batches as one graph call.

        Args:
            iterator: Of a batched data set.
            count: How many batches to run at most.
            carry: `sums` and `finite` of the window before, or `zero` to begin anew.
            phase: Batches already accumulated towards the next update.
            every: Batches per update.
        """
        # One small tensor instead of three: each argument of a graph call costs microseconds.
        plan = tf.constant([count, phase, every], tf.int64)
        try:
            return WindowResult(*self._loop(iterator, plan, *carry))
        except tf.errors.OpError:
            # The batches before the bad one have moved the weights; their slots go with them.
            tf.function(self._slots.unpack, autograph=False)()
            raise

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        self._flush()

    @property
    def measured_names(self) -> set[str]:
        """The names of all values; not of metrics that nobody updates."""
        return {name for name, _ in self.givers} - {*self.metrics.not_updated(self.result_names)}

    def read_results(self, result: WindowResult) -> dict[str, float]:
        """Wait for what the metrics gave at the end of a window, and return it by name."""
        results = result.results.numpy().tolist()
        return self.metrics.values(self.step.method, self.result_names, results)

    @property
    def graph(self) -> tf.Graph:
        """The graph of one batch's step."""
        return self._batch.graph

    # ---- in the graph

    def _run_batch(self, batch: Any, ready: tf.Tensor) -> tf.Tensor:
        def compute(batch: Any, replica_batch: ReplicaBatch | None) -> Any:
            # One sum over replicas: of values, examples and gradients together.
            return self.placement.all_reduce(self._run_replica_batch(batch, ready, replica_batch))

        vector, gradients = self.placement.run(compute, batch)
        # Once for all replicas, when the last has read the weights for its gradients.
        self.step.update(gradients, ready)
        return self.placement.first(vector)  # (values + 1,) float32

    def _run_replica_batch(
        self, batch: Any, ready: tf.Tensor, replica_batch: ReplicaBatch | None
    ) -> tuple[tf.Tensor, Gradients]:
        losses, logged, gradients = self.step(batch, ready, replica_batch)
        self._givers = (
            *((name, "the step's loss") for name in losses),
            *((name, f"log({name!r})") for name in logged),
        )
        check_names(self._stage, self._givers)
        values = {**losses, **logged}  # () float32 each
        self.names, self.loss_count = tuple(values), len(losses)

        if replica_batch is None:
            examples = tf.cast(count_examples(batch), tf.float32)  # ()
        else:
            examples = replica_batch.examples  # () float32, 0 on an idle replica
        return weighted_sums(list(values.values()), examples), gradients

    def _run_batches(
        self,
        next_batch: NextBatch,
        iterator: Any,
        plan: tf.Tensor,
        sums: tf.Tensor,
        finite: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        count, phase, every = tf.unstack(plan)  # () int64 each

        def add(batch: Any, i: tf.Tensor, totals: Totals) -> Totals:
            ready = tf.equal((phase + i + 1) % every, 0) if self.accumulating else True
            return self._add(totals, self._batch(batch, tf.convert_to_tensor(ready)))

        def run_next(i: tf.Tensor, more: Any, totals: Totals) -> tuple[tf.Tensor, Any, Totals]:
            if self.known_length:
                return i + 1, more, add(next_batch(iterator), i, totals)
            batch = iterator.get_next_as_optional()
            more = batch.has_value()  # ()
            totals = self.placement.run_if(
                more, lambda totals: add(batch.get_value(), i, totals), totals
            )
            return i + tf.cast(more, tf.int64), more, totals

        more = () if self.known_length else tf.constant(True)
        totals = Totals(
            sums,
            finite if self.step.trains else (),
            tf.zeros_like(sums) if self.keeps_last else (),
        )
        # Slots are packed around the loop, so that copying them is paid once a window.
        self._slots.pack()
        batches, _, totals = tf.while_loop(
            lambda i, more, _: i < count if self.known_length else tf.logical_and(i < count, more),
            run_next,
            (tf.zeros([], tf.int64), more, totals),
            parallel_iterations=1,  # each batch starts from the weights that the last one left
        )
        self._slots.unpack()

        results = self._results()  # after the last batch: nobody reads them in between
        finite = totals.finite if self.step.trains else finite
        last = (totals.last,) if self.keeps_last else ()
        return batches, totals.sums, finite, results, *last

    def _add(self, totals: Totals, vector: tf.Tensor) -> Totals:
        """Return the totals with those of one more batch, a vector as `weighted_sums` gives it."""
        sums = totals.sums + vector
        finite = totals.finite
        if self.step.trains:
            finite += tf.cast(tf.math.is_finite(sums), tf.float32)
        return Totals(sums, finite, vector if self.keeps_last else ())

    def _results(self) -> tf.Tensor:
        """Return what the metrics and the step give now, float32 of shape (results,)."""
        measured, counted = self.metrics.results(), self.step.results()
        self.givers = (
            *self._givers,
            *((name, f"metric {self.metrics.givers[name]!r}") for name in measured),
            *((name, "the Trainer's count") for name in counted),
        )
        check_names(self._stage, self.givers)

        results = {**measured, **counted}
        self.result_names = tuple(results)
        return tf.stack(list(results.values()) or [tf.zeros([])])


def _warn_of_unsaved_random(traced: Any) -> None:
    """Warn where a traced step draws numbers that a resumed run cannot draw again."""
    drawn = sorted({op.type for op in traced.graph.get_operations()} & UNSAVED_RANDOM)
    if drawn:
        log.warning(
            "training_step draws with %s of tf.random, whose position no checkpoint can hold: a "
            "resumed run will not be exact. Draw with keras.random instead.",
            ", ".join(drawn),
        )
