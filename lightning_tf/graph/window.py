"""Window: a step traced once and the loop around it, which run as one graph call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch, example_count
from lightning_tf.graph.custom_gradients import forget_with
from lightning_tf.graph.graph_loop import GraphLoop, NextBatch
from lightning_tf.graph.means import weighted_sums
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.step import EvaluationStep, Gradients, TrainingStep, build_lazily
from lightning_tf.optimizers.packed_slots import PackedSlots

State = tuple[tf.Tensor, ...]

log = logging.getLogger("lightning_tf")

# Draw from a generator inside TensorFlow whose position nobody can read.
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
        batches: Batches that ran; fewer than asked for where the data ended.
        sums: Sum over batches of value times examples, then the number of examples.
        finite: For each of `sums`, how many batches of training ran while it was finite: a sum that
            once is NaN or infinite stays so, which tells the first bad batch for three small
            operations.
        results: What the metrics give now, and what the step counts.
        last: Values of the last batch, then its examples; None unless the window keeps them.
    """

    batches: tf.Tensor
    sums: tf.Tensor
    finite: tf.Tensor
    results: tf.Tensor
    last: tf.Tensor | None = None


class Window:
    """A step traced once and the loop around it; one trace serves windows of every length.

    The loop in the graph::

        for i in range(count):
            batch = next(iterator)
            for each replica's part of the batch:       # on one device the batch
                losses, logged, gradients = step(part)  # updates metrics
            vector = [losses, logged, 1] * examples(part)
            vector, gradients = sums of both over replicas
            step.update(gradients)                      # updates variables
            sums += vector
        return sums, results of the metrics

    Args:
        step: A `TrainingStep` or an `EvaluationStep`.
        metrics: The stage's metrics.
        placement: Whether there are replicas, each of which gets a part of every batch.
        element_spec: Of the data set's batches.
        known_length: False asks the iterator before every batch whether there is one, which costs
            about 0.1 ms a batch and lets a data set of unknown length end inside a window.
        accumulating: Whether several batches make one update; otherwise each one does.
        keeps_last: Whether the last batch's values are kept, for those who watch every batch.
        jit_compile: Whether XLA compiles the step.
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
        self._watches_finite = isinstance(step, TrainingStep)
        self.names: tuple[str, ...] = ()
        self.result_names: tuple[str, ...] = ()
        self.loss_count = 0  # the losses come first among the names
        if placement.strategy is not None and not metrics.are_built():
            build_lazily(step.task, step.method, placement.batch_spec(element_spec))
        traced = tf.function(self._one_batch, autograph=False, jit_compile=jit_compile or None)
        # Traced by itself before the loop around it, so that the loop knows how many values there
        # are: a step is traced exactly once.
        self._slots = PackedSlots(placement)
        with step.packing(self._slots):
            self._batch = traced.get_concrete_function(element_spec, tf.TensorSpec((), tf.bool))
        forget_with(self, self._batch.graph)
        if isinstance(step, TrainingStep):
            _warn_of_unsaved_random(self._batch)
        self.zero = (tf.zeros([len(self.names) + 1]),) * 2
        sums = tf.TensorSpec.from_tensor(self.zero[0])
        plan = tf.TensorSpec([3], tf.int64)
        self._loop = GraphLoop(self._many_batches, element_spec, plan, sums, sums)
        if accumulating:
            flush = tf.function(self._flush_once, autograph=False)
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
        plan = tf.constant([count, phase, every], tf.int64)
        try:
            return WindowResult(*self._loop(iterator, plan, *carry))
        except tf.errors.OpError:
            # The batches before the bad one have moved the weights; their slots go with them.
            tf.function(self._slots.give_back, autograph=False)()
            raise

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        self._flush()

    def _flush_once(self) -> None:
        self.step.flush()

    def _one_batch(self, batch: Any, ready: tf.Tensor) -> tf.Tensor:
        vector, gradients = self.placement.reduce(
            lambda own, part: self._part_of_batch(own, ready, part), batch
        )
        self.step.update(gradients, ready)
        return self.placement.first(vector)

    def _part_of_batch(
        self, batch: Any, ready: tf.Tensor, part: ReplicaBatch | None
    ) -> tuple[tf.Tensor, Gradients]:
        losses, logged, gradients = self.step(batch, ready, part)
        self.names = (*losses, *(name for name in logged if name not in losses))
        values = [losses[name] if name in losses else logged[name] for name in self.names]
        self.loss_count = len(losses)
        examples = tf.cast(example_count(batch), tf.float32) if part is None else part.examples
        return weighted_sums(values, examples), gradients

    def _many_batches(
        self,
        next_batch: NextBatch,
        iterator: Any,
        plan: tf.Tensor,
        sums: tf.Tensor,
        finite: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        count, phase, every = tf.unstack(plan)
        # Every variable of the loop costs some microseconds a batch: none that nobody needs.
        wanted = {"sums": True, "finite": self._watches_finite, "last": self.keeps_last}
        kept = [name for name, is_wanted in wanted.items() if is_wanted]

        def run(batch: Any, i: tf.Tensor, state: State) -> State:
            ready = tf.equal((phase + i + 1) % every, 0) if self.accumulating else True
            vector = self._batch(batch, tf.convert_to_tensor(ready))
            sums = state[0] + vector
            after = {"sums": sums, "last": vector}
            if self._watches_finite:
                after["finite"] = state[1] + tf.cast(tf.math.is_finite(sums), tf.float32)
            return tuple(after[name] for name in kept)

        def known(i: tf.Tensor, *state: tf.Tensor) -> State:
            return (i + 1, *run(next_batch(iterator), i, state))

        def unknown(i: tf.Tensor, alive: tf.Tensor, *state: tf.Tensor) -> State:
            batch = iterator.get_next_as_optional()
            there = batch.has_value()
            state = self._where(there, lambda *state: run(batch.get_value(), i, state), state)
            return (i + tf.cast(there, tf.int64), there, *state)

        begin: State = (
            (tf.zeros([], tf.int64),)
            if self.known_length
            else (
                tf.zeros([], tf.int64),
                tf.constant(True),
            )
        )
        given = {"sums": sums, "finite": finite, "last": tf.zeros_like(sums)}
        state = tuple(given[name] for name in kept)
        self._slots.take()
        i, *rest = tf.while_loop(
            lambda i, *rest: i < count if self.known_length else tf.logical_and(i < count, rest[0]),
            known if self.known_length else unknown,
            (*begin, *state),
            parallel_iterations=1,
        )
        self._slots.give_back()
        given.update(zip(kept, rest[-len(state) :], strict=True))
        results = {**self.metrics.results(), **self.step.results()}
        self.result_names = tuple(results)
        values = tf.stack(list(results.values()) or [tf.zeros([])])
        last = (given["last"],) if self.keeps_last else ()
        return i, given["sums"], given["finite"], values, *last

    def _where(self, there: tf.Tensor, act: Callable[..., State], state: State) -> State:
        """What `act` makes of a state, or the state itself."""
        if self.placement.strategy is None:
            return tuple(tf.cond(there, lambda: act(*state), lambda: state))
        # TensorFlow cannot number a sum over devices inside a branch ("you must feed a value for
        # placeholder"), but inside a loop it can: this one runs once or not at all.
        _, *after = tf.while_loop(
            lambda going, *state: going,
            lambda going, *state: (tf.constant(False), *act(*state)),
            (there, *state),
        )
        return tuple(after)


def _warn_of_unsaved_random(traced: Any) -> None:
    drawn = sorted({op.type for op in traced.graph.get_operations()} & UNSAVED_RANDOM)
    if drawn:
        log.warning(
            "training_step draws with %s of tf.random, whose position no checkpoint can hold: a "
            "resumed run will not be exact. Draw with keras.random instead.",
            ", ".join(drawn),
        )
