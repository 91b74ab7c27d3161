"""Window: a step traced once and the loop around it, which run as one graph call."""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch, count_examples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.batch_outputs import BatchOutputs
from lightning_tf.graph.custom_gradients import release_custom_gradients
from lightning_tf.graph.deferred_build import build_deferred_variables
from lightning_tf.graph.evaluation_step import EvaluationStep
from lightning_tf.graph.graph_loop import GraphLoop, NextBatch
from lightning_tf.graph.host_seeds import HostSeeds
from lightning_tf.graph.means import weighted_sums
from lightning_tf.graph.metric_results import stack_scalars
from lightning_tf.graph.moved_batches import cast_to
from lightning_tf.graph.names import Givers, check_names
from lightning_tf.graph.stage_metrics import StageMetrics
from lightning_tf.graph.step_weight import WeightFoundLate
from lightning_tf.graph.training_step import Gradients, TrainingStep
from lightning_tf.graph.xla import refuse_uncompilable
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.stage import stage_of_step
from lightning_tf.step_context import (
    POSITION,
    StepContext,
    StepPosition,
    naming_unset_attributes,
    noting_symbolic_tensors,
)
from lightning_tf.tensorflow_internals import operation_types, variables_of
from lightning_tf.traced_reads import TracedReads

log = logging.getLogger("lightning_tf")

COLLECTED, BATCH = "collected", "batch"  # what is kept of the examples of every batch

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
    "ParameterizedTruncatedNormal",
    "SampleDistortedBoundingBoxV2",
    "FractionalAvgPool",
    "FractionalMaxPool",
    "AllCandidateSampler",
    "FixedUnigramCandidateSampler",
    "LearnedUnigramCandidateSampler",
    "LogUniformCandidateSampler",
    "UniformCandidateSampler",
}
# Operations that call Python, which may keep what it likes.
PYTHON = {"EagerPyFunc", "PyFunc"}  # not numpy_function(stateful=False)
# Operations that change state outside variables.
UNSAVED_STATE = {
    "LookupTableImportV2",
    "LookupTableInsertV2",
    "LookupTableRemoveV2",
    "IteratorGetNext",
    "IteratorGetNextAsOptional",
    "QueueDequeueV2",
    "QueueDequeueManyV2",
    "QueueEnqueueV2",
    "QueueEnqueueManyV2",
}


@dataclass(frozen=True)
class WindowResult:
    """What a window gives back; device tensors, read only where the loop chose to wait.

    Attributes:
        batches: How many batches ran, int32; fewer than asked for where the data ended.
        sums: Sums over the batches of value times examples, then the examples; float32 of shape
            (values + 1,), see `mean_values`.
        finite: For each of `sums`, how many batches of training ran while it was finite: a sum that
            once is NaN or infinite stays so, which tells the first bad batch for three small
            operations.
        results: What the metrics give now, and what the step counts; of shape (results,), float32
            or, where that would round, float64.
        last: As `sums`, of the last batch alone; None unless the window keeps it.
        outputs: What the step collected, as `BatchOutputs` stacks it; empty where nobody takes it.
    """

    batches: tf.Tensor
    sums: tf.Tensor
    finite: tf.Tensor
    results: tf.Tensor
    last: tf.Tensor | None = None
    outputs: tuple[tf.Tensor, ...] = ()


class Totals(NamedTuple):
    """What one batch hands on to the next in the graph's loop; named as in `WindowResult`.

    Every tensor that a loop carries costs some microseconds a batch. What nobody needs is therefore
    an empty tuple, which TensorFlow counts as no variable of the loop.
    """

    sums: tf.Tensor  # (values + 1,) float32
    finite: Any  # (values + 1,) float32, or ()
    last: Any  # (values + 1,) float32, or ()
    outputs: Any  # TensorArrays of `BatchOutputs`, or ()


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
        collects: Whether what the step collects of its examples is kept: for host metrics, and for
            hooks of batches.
        keeps_batches: Whether the batches themselves are kept beside it, for hooks of batches.
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
        collects: bool = False,
        keeps_batches: bool = False,
        jit_compile: bool = False,
    ) -> None:
        self.step = step
        self.metrics = metrics
        self.placement, self._element_spec = placement, element_spec
        self.known_length = known_length
        self.accumulating = accumulating
        self.keeps_last = keeps_last
        self.collects, self.keeps_batches = collects, keeps_batches
        self._outputs: BatchOutputs | None = None
        self.names: tuple[str, ...] = ()
        self.loss_count = 0
        self.result_names: tuple[str, ...] = ()
        self.givers: Givers = ()
        self._givers: Givers = ()  # those of the values alone
        self._stage = stage_of_step(step.method)

        self._slots, self._seeds = PackedSlots(placement), HostSeeds()
        self._weighs = False  # whether the step returns a weight
        kept = self._make_step(element_spec, jit_compile)
        if collects:
            self._outputs = _batch_outputs(step.method, kept, bool(metrics.host))

        self.zero = (tf.zeros([len(self.names) + (2 if self._weighs else 1)]),) * 2  # sums, finite
        self._make_loop(element_spec)

    def _make_step(self, element_spec: Any, jit_compile: bool) -> Any:
        """Make the step of one batch, and learn what it measures; return what it keeps."""
        step, metrics = self.step, self.metrics
        with metrics.in_layers():
            if not self.placement.can_build_while_tracing and not metrics.are_built():
                build_deferred_variables(step.task, step.method, self.placement, element_spec)
            self._batch = self._trace(element_spec, jit_compile)
        metrics.note_captured(self._batch)
        metrics.note_moved(self.variables())

        release_custom_gradients(self._batch.graph, after=self)
        if step.trains:
            _warn_of_unsaved(self._batch.graph)
        self._warn_of_drawn()
        return self._batch.structured_outputs[1]

    def _make_loop(self, element_spec: Any) -> None:
        """Make the loop over batches, and the update from an incomplete accumulation."""
        sums = tf.TensorSpec.from_tensor(self.zero[0])
        plan = tf.TensorSpec([6], tf.int32)
        ahead = self.placement.prefetch_device
        self._loop: Any = GraphLoop(self._run_batches, element_spec, plan, sums, sums, device=ahead)

        if self.accumulating:
            flush = tf.function(self.step.flush, autograph=False)
            self._flush: Any = flush.get_concrete_function()

    def __call__(
        self,
        iterator: Any,
        count: int,
        carry: tuple[tf.Tensor, tf.Tensor],
        *,
        phase: int = 0,
        every: int = 1,
        position: tuple[int, int, int] = (0, 0, 0),
    ) -> WindowResult:
        """Run `count` batches as one graph call.

        Args:
            iterator: Of a batched data set.
            count: How many batches to run at most.
            carry: `sums` and `finite` of the window before, or `zero` to begin anew.
            phase: Batches already accumulated towards the next update.
            every: Batches per update.
            position: Where the run is at the first batch, by the names of `POSITION`.
        """
        # One small tensor instead of three: each argument of a graph call costs microseconds. Of
        # int32, which TensorFlow keeps on the host: the loop's condition must not wait for a GPU.
        plan = tf.constant([count, phase, every, *position], tf.int32)
        try:
            batches, sums, finite, results, last, outputs = self._loop(iterator, plan, *carry)
            last = last if self.keeps_last else None
            return WindowResult(batches, sums, finite, results, last, outputs)
        except tf.errors.OpError as error:
            refuse_uncompilable(error, self.step.method)
            # The batches before the bad one have moved the weights; their slots go with them.
            tf.function(self._unpack, autograph=False)()
            raise

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        self._flush()

    def variables(self) -> list[tuple[tf.Variable, bool]]:
        """Return the variables that the step uses, and whether it may assign each."""
        packed = {id(array) for array in self._slots.variables()}
        on_host = {id(copy): state for copy, state in self._seeds.variables()}
        return [
            (on_host.get(id(variable), variable), assigned)
            for variable, assigned in variables_of(self._batch.graph)
            if id(variable) not in packed
        ]

    @property
    def measured_names(self) -> set[str]:
        """The names of all values; not of metrics that nobody updates."""
        return {name for name, _ in self.givers} - {*self.metrics.not_updated(self.result_names)}

    def read_results(self, result: WindowResult) -> dict[str, float]:
        """Wait for what the metrics gave at the end of a window, and return it by name."""
        results = result.results.numpy().tolist()
        return self.metrics.values(self.step.method, self.result_names, results)

    def restored_results(self) -> dict[str, float]:
        """Return what `read_results` would give before a window ran; of a resumed run."""
        results = {**self.metrics.results(), **self.step.results()}
        values = [float(value) for value in results.values()]
        return self.metrics.values(self.step.method, list(results), values)

    def read_outputs(self, result: WindowResult) -> list[dict[str, Any]]:
        """Wait for what is kept of the examples, and return it batch by batch as host arrays.

        Returns:
            What the step collected under ``collected``, the batches under ``batch`` where kept.
        """
        return [] if self._outputs is None else self._outputs.split(result.outputs)

    @property
    def collected_names(self) -> set[str]:
        """The names of what the step collects, where that is kept."""
        return set() if self._outputs is None else set(self._outputs.structure.get(COLLECTED, ()))

    @property
    def outputs_bytes(self) -> int:
        """The size of a batch's outputs, as the last window had them."""
        return 1 if self._outputs is None else self._outputs.batch_bytes

    @property
    def graph(self) -> tf.Graph | None:
        """The graph of one batch's step."""
        return self._batch.graph

    # ---- Python values that the trace holds

    def change(self) -> tuple[str, Any, Any] | None:
        """Return a Python value that the step read and that is another now: name, old and new.

        Raises:
            ConfigurationError: A learning rate was replaced.
        """
        self.step.refuse_new_rates()
        return self._reads.change()

    @property
    def most_batches(self) -> int | None:
        """The batches that may run before `change` is asked again; None is any number."""
        names = self._position.names if self._position.as_numbers else set()
        return 1 if names & {"global_step", "batch_idx"} else None

    def _trace(self, element_spec: Any, jit_compile: bool) -> Any:
        """Trace the step, by itself, before the loop around it.

        The loop needs to know how many values there are, and may be traced twice, the step only
        once. A step that computes with `trainer.global_step` in Python, where a tensor fails, is
        traced with the number, and again when that changes.
        """
        specs = element_spec, tf.TensorSpec((), tf.bool), tf.TensorSpec([3], tf.int32)
        as_numbers, left = False, self._seeds.drawn_in_place
        while True:
            self._slots, self._seeds = PackedSlots(self.placement), HostSeeds(left)
            self._reads = TracedReads(self.step.method)
            self._reads.pass_over(self.metrics.lent())
            self._position = StepPosition({}, as_numbers)
            function = tf.function(
                self._run_batch, autograph=False, jit_compile=jit_compile or None
            )
            try:
                with (
                    self._reads.tracing(),
                    self.step.packing(self._slots),
                    self._drawing(jit_compile),
                ):
                    traced = function.get_concrete_function(*specs)
                used = self._seeds.also_used(v for v, _ in variables_of(traced.graph))
                if not used:
                    break
                left |= used
            except WeightFoundLate:
                continue  # now it is known that statistics must be copied first
            except (TypeError, NotImplementedError):
                if as_numbers or not self._position.names:
                    raise
                as_numbers = True

        self._reads.watch_metrics(self.metrics.metrics)
        for name, optimizer in getattr(self.step, "optimizers", {}).items():
            self._reads.watch_optimizer(name, optimizer.optimizer)
        if self._position.as_numbers:
            for name in self._position.names:
                read = partial(getattr, self.step.task.trainer, name)
                self._reads.watch(f"self.trainer.{name}", read)
        return traced

    def _drawing(self, jit_compile: bool) -> AbstractContextManager[None]:
        """Return the context in which draws are traced."""
        # XLA reads seeds on the device; replicas have a copy of their own each.
        waits = self.placement.is_gpu and self.placement.num_replicas == 1 and not jit_compile
        return self._seeds.drawing() if waits else nullcontext()

    def _warn_of_drawn(self) -> None:
        if drawn := self._reads.drawn():
            log.warning(
                "%s draws with %s in Python, which happens once, when the step is traced: every "
                "batch gets the same numbers. Draw with keras.random instead.",
                self.step.method,
                ", ".join(drawn),
            )
        if iterated := self._reads.iterated():
            log.warning(
                "%s takes from the iterator %s in Python, which happens once, when the step is "
                "traced: every batch gets the same. Let the data give what changes with the "
                "batch, or assign it to a keras.Variable in a hook.",
                self.step.method,
                ", ".join(iterated),
            )

    # ---- in the graph

    def _run_batch(
        self, batch: Any, ready: tf.Tensor, position: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, Any]]:
        self._position.tensors = dict(zip(POSITION, tf.unstack(position), strict=True))
        around = StepContext(position=self._position, reads=self._reads)

        def compute(batch: Any, replica_batch: ReplicaBatch | None) -> Any:
            collected: dict[str, Any] | None = {} if self.collects else None
            context = replace(around, collected=collected)
            values = self._run_replica_batch(batch, ready, replica_batch, context)
            kept = {COLLECTED: collected or {}}
            if self.keeps_batches:
                kept[BATCH] = batch
            rows = self.placement.real_rows(kept, replica_batch) if self.collects else {}
            # One sum over replicas: of values, examples and gradients together.
            return self.step.all_reduce(self.placement, *values), rows

        (vector, gradients, overflows), rows = self.placement.run(compute, batch)
        # Once for all replicas, when the last has read the weights for its gradients.
        vector = self.placement.first(vector)  # (values + 1,) float32
        self.step.update(gradients, ready, vector[-1] if self._weighs else None, overflows)
        return vector, self.placement.join(rows)

    def _run_replica_batch(
        self,
        batch: Any,
        ready: tf.Tensor,
        replica_batch: ReplicaBatch | None,
        around: StepContext,
    ) -> tuple[tf.Tensor, Gradients]:
        method = self.step.method
        with naming_unset_attributes(self.step.task, method), noting_symbolic_tensors(method):
            losses, logged, gradients, weight = self.step(batch, ready, replica_batch, around)
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
        self._weighs = weight is not None
        own = None if weight is None else weight.own
        return weighted_sums(list(values.values()), examples, own), gradients

    def _run_batches(
        self,
        next_batch: NextBatch,
        iterator: Any,
        plan: tf.Tensor,
        sums: tf.Tensor,
        finite: tf.Tensor,
    ) -> tuple[Any, ...]:
        count, phase, every, step, epoch, batch_idx = tf.unstack(plan)  # () int32 each
        start = plan[3:]  # (3,) int32, as `POSITION`

        def add(batch: Any, i: tf.Tensor, totals: Totals) -> Totals:
            if self.placement.prefetch_device is not None:
                batch = cast_to(self._element_spec, batch)
            ready = tf.equal((phase + i + 1) % every, 0) if self.accumulating else True
            position = start
            is_read = self._position.names or self.step.counts_updates
            if self.step.trains and is_read:  # nobody pays for what nobody reads
                position = tf.stack([step + (phase + i) // every, epoch, batch_idx + i])
            vector, outputs = self._batch(batch, tf.convert_to_tensor(ready), position)
            return self._add(totals, vector, i, outputs)

        def run_next(i: tf.Tensor, more: Any, totals: Totals) -> tuple[tf.Tensor, Any, Totals]:
            if self.known_length:
                return i + 1, more, add(next_batch(iterator), i, totals)
            batch = iterator.get_next_as_optional()
            more = self.placement.any_has(batch)  # ()
            totals = self.placement.run_if(
                more, lambda totals: add(batch.get_value(), i, totals), totals
            )
            return i + tf.cast(more, tf.int32), more, totals

        more = () if self.known_length else tf.constant(True)
        totals = Totals(
            sums,
            finite if self.step.trains else (),
            tf.zeros_like(sums) if self.keeps_last else (),
            () if self._outputs is None else self._outputs.begin(),
        )
        # Slots and seeds are packed around the loop, so that copying them is paid once a window.
        self._slots.pack()
        self._seeds.pack()
        batches, _, totals = tf.while_loop(
            lambda i, more, _: i < count if self.known_length else tf.logical_and(i < count, more),
            run_next,
            (tf.zeros([], tf.int32), more, totals),
            parallel_iterations=1,  # each batch starts from the weights that the last one left
        )
        self._unpack()

        results = self._results()  # after the last batch: nobody reads them in between
        finite = totals.finite if self.step.trains else finite
        outputs = () if self._outputs is None else self._outputs.stack(totals.outputs)
        return batches, totals.sums, finite, results, totals.last, outputs

    def _unpack(self) -> None:
        self._slots.unpack()
        self._seeds.unpack()

    def _add(self, totals: Totals, vector: tf.Tensor, i: tf.Tensor, outputs: Any) -> Totals:
        """Return the totals with those of batch i, a vector as `weighted_sums` gives it."""
        sums = totals.sums + vector
        finite = totals.finite
        if self.step.trains:
            finite += tf.cast(tf.math.is_finite(sums), tf.float32)
        kept = () if self._outputs is None else self._outputs.write(totals.outputs, i, outputs)
        return Totals(sums, finite, vector if self.keeps_last else (), kept)

    def _results(self) -> tf.Tensor:
        """Return what the metrics and the step give now, of shape (results,)."""
        measured, counted = self.metrics.results(), self.step.results()
        self.givers = (
            *self._givers,
            *((name, f"metric {self.metrics.givers[name]!r}") for name in measured),
            *((name, "the Trainer's count") for name in counted),
        )
        check_names(self._stage, self.givers)

        results = {**measured, **counted}
        self.result_names = tuple(results)
        return stack_scalars(list(results.values()))


def _batch_outputs(method: str, structure: Any, is_needed: bool) -> BatchOutputs | None:
    """Refuse what a step collects where a window cannot keep it."""
    if is_needed and not tf.nest.flatten(structure[COLLECTED]):
        raise ConfigurationError(
            f"{method} collects nothing, but configure_host_metrics names metrics that compute "
            "from it; call self.collect(name, tensors) there."
        )
    if not tf.nest.flatten(structure):
        return None
    if not BatchOutputs.can_hold(structure):
        for what, kept in structure.items():
            if what == BATCH and not BatchOutputs.can_hold(kept):
                raise ConfigurationError(
                    f"a hook takes the batches of {method}, which are {kept}: only dense tensors "
                    "whose dimensions but the first are known can be handed over; collect what the "
                    "hook needs with self.collect, and let it say reads_batches = False."
                )
        structure = structure[COLLECTED]
        raise ConfigurationError(
            f"{method} collects {structure}; collect dense tensors of one row for each example, "
            "whose other dimensions are known."
        )
    return BatchOutputs(structure)


def _warn_of_unsaved(graph: tf.Graph) -> None:
    """Warn where a traced step moves what a resumed run cannot put back."""
    types = operation_types(graph)
    if drawn := sorted(types & UNSAVED_RANDOM):
        log.warning(
            "training_step draws with %s of tf.random, whose position no checkpoint can hold: a "
            "resumed run will not be exact. Draw with keras.random instead.",
            ", ".join(drawn),
        )
    if moved := sorted(types & UNSAVED_STATE):
        log.warning(
            "training_step moves a table, queue or iterator (%s), which no checkpoint can hold: a "
            "resumed run will not be exact. Keep the state in a keras.Variable instead.",
            ", ".join(moved),
        )
    if called := sorted(types & PYTHON):
        log.warning(
            "training_step calls Python (%s of py_function or numpy_function): what that keeps "
            "from one call to the next no checkpoint holds. Keep the state in a keras.Variable; "
            "where there is none, say numpy_function(..., stateful=False).",
            ", ".join(called),
        )
