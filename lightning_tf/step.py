"""The device side: a step traced once, and the window of steps that runs as one graph call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.metrics import StageMetrics
from lightning_tf.optimizers import NamedOptimizer

Values = dict[str, tf.Tensor]
Step = Callable[[Any, tf.Tensor], tuple[Values, Values]]
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


class TrainingStep:
    """Forward, gradients and update of one batch, in the graph.

    Args:
        task: Gives `training_step`.
        optimizers: By name, as `configure_optimizers` named them.
    """

    def __init__(self, task: Any, optimizers: dict[str, NamedOptimizer]) -> None:
        self.task = task
        self.optimizers = optimizers

    def __call__(self, batch: Any, ready: tf.Tensor) -> tuple[Values, Values]:
        """Run one batch; `ready` tells whether it completes its window of accumulation."""
        minimized: dict[str, list[tf.Tensor]] = {}
        logged: Values = {}
        tape = tf.GradientTape(persistent=len(self.optimizers) > 1)

        def minimize(name: str, loss_fn: Callable[[], tf.Tensor]) -> tf.Tensor:
            optimizer = self._named(name)
            with tape.stop_recording(), tf.GradientTape() as inner:
                loss = _scalar(loss_fn(), f"minimize({name!r})")
                scaled = optimizer.scaled(loss)
            minimized.setdefault(name, []).append(loss)
            with tape.stop_recording():
                optimizer.update(inner.gradient(scaled, _raw(optimizer.variables)), ready)
            return loss

        with tape:
            self.task._logged, self.task._minimize = logged, minimize
            try:
                returned = self.task.training_step(batch)
            finally:
                self.task._logged = self.task._minimize = None
            losses = self._losses(returned, minimized)
            scaled = {name: self._named(name).scaled(loss) for name, loss in losses.items()}
        self._refuse_idle(losses, minimized)
        # Every gradient is taken before any variable moves: all losses see the same weights.
        gradients = {
            name: tape.gradient(loss, _raw(self._named(name).variables))
            for name, loss in scaled.items()
        }
        for name, gradient in gradients.items():
            self._named(name).update(gradient, ready)
        for name, parts in minimized.items():
            losses[name] = tf.add_n(parts) / len(parts)
        return _loss_names(losses), logged

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        for optimizer in self.optimizers.values():
            optimizer.flush()

    def _named(self, name: str) -> NamedOptimizer:
        if name not in self.optimizers:
            raise ConfigurationError(
                f"training_step names optimizer {name!r}.{nearest(name, self.optimizers)}"
            )
        return self.optimizers[name]

    def _refuse_idle(self, *taken: Mapping[str, Any]) -> None:
        idle = set(self.optimizers).difference(*taken)
        if idle:
            raise ConfigurationError(
                f"training_step gives no loss for {sorted(idle)}; return one for each of "
                f"{sorted(self.optimizers)}, or minimize it."
            )

    def _losses(self, returned: Any, minimized: Mapping[str, Any]) -> Values:
        if returned is None and minimized:
            return {}
        if isinstance(returned, Mapping):
            return {name: _scalar(loss, "training_step") for name, loss in returned.items()}
        if returned is None or "" not in self.optimizers:
            raise ConfigurationError(
                f"training_step returned {type(returned).__name__}; return a scalar loss"
                + (f" for each of {sorted(self.optimizers)}." if "" not in self.optimizers else ".")
            )
        return {"": _scalar(returned, "training_step")}


class EvaluationStep:
    """`validation_step` or `test_step` of one batch, in the graph.

    Args:
        task: Gives the step.
        method: ``validation_step`` or ``test_step``.
    """

    def __init__(self, task: Any, method: str) -> None:
        self.task = task
        self.method = method

    def __call__(self, batch: Any, ready: tf.Tensor) -> tuple[Values, Values]:
        """Run one batch."""
        logged: Values = {}
        self.task._logged = logged
        try:
            returned = getattr(self.task, self.method)(batch)
        finally:
            self.task._logged = None
        if returned is None:
            return {}, logged
        losses = returned if isinstance(returned, Mapping) else {"": returned}
        return _loss_names({k: _scalar(v, self.method) for k, v in losses.items()}), logged


@dataclass(frozen=True)
class WindowResult:
    """What a window gives back; device tensors, read only where the loop chose to wait.

    Attributes:
        batches: Batches that ran; fewer than asked for where the data ended.
        sums: Sum over batches of value times examples, then the number of examples.
        finite: For each of `sums`, how many batches ran while it was finite: a sum that once is
            NaN or infinite stays so, which tells the first bad batch for three small operations.
        results: What the metrics give now.
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
            losses, logged = step(batch)          # updates variables and metrics
            sums += [losses, logged, 1] * examples(batch)
        return sums, results of the metrics

    Args:
        step: A `TrainingStep` or an `EvaluationStep`.
        metrics: The stage's metrics.
        element_spec: Of the data set's batches.
        known_length: False asks the iterator before every batch whether there is one, which costs
            about 0.1 ms a batch and lets a data set of unknown length end inside a window.
        accumulating: Whether several batches make one update; otherwise each one does.
        keeps_last: Whether the last batch's values are kept, for those who watch every batch.
        jit_compile: Whether XLA compiles the step.
    """

    def __init__(
        self,
        step: Step,
        metrics: StageMetrics,
        element_spec: Any,
        *,
        known_length: bool,
        accumulating: bool = False,
        keeps_last: bool = False,
        jit_compile: bool = False,
    ) -> None:
        self.step = step
        self.metrics = metrics
        self.known_length = known_length
        self.accumulating = accumulating
        self.keeps_last = keeps_last
        self.names: tuple[str, ...] = ()
        self.result_names: tuple[str, ...] = ()
        self.loss_count = 0  # the losses come first among the names
        traced = tf.function(self._one_batch, autograph=False, jit_compile=jit_compile or None)
        # Traced by itself before the loop around it, so that the loop knows how many values there
        # are: a step is traced exactly once.
        self._batch = traced.get_concrete_function(element_spec, tf.TensorSpec((), tf.bool))
        if isinstance(step, TrainingStep):
            _warn_of_unsaved_random(self._batch)
        self.zero = (tf.zeros([len(self.names) + 1]),) * 2
        sums = tf.TensorSpec.from_tensor(self.zero[0])
        loop = tf.function(self._many_batches, autograph=False)
        # Called as what it is traced to: 0.1 ms a window less than looking for the right trace.
        plan = tf.TensorSpec([3], tf.int64)
        self._loop = loop.get_concrete_function(
            tf.data.IteratorSpec(element_spec), plan, sums, sums
        )
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
        return WindowResult(*self._loop(iterator, plan, *carry))

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        self._flush()

    def _flush_once(self) -> None:
        self.step.flush()  # type: ignore[attr-defined]

    def _one_batch(self, batch: Any, ready: tf.Tensor) -> tf.Tensor:
        losses, logged = self.step(batch, ready)
        self.names = (*losses, *(name for name in logged if name not in losses))
        values = [losses[name] if name in losses else logged[name] for name in self.names]
        self.loss_count = len(losses)
        examples = tf.cast(example_count(batch), tf.float32)
        return tf.stack([*values, tf.ones([])]) * examples

    def _many_batches(
        self, iterator: Any, plan: tf.Tensor, sums: tf.Tensor, finite: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        count, phase, every = tf.unstack(plan)

        def run(batch: Any, i: tf.Tensor, state: State) -> State:
            ready = tf.equal((phase + i + 1) % every, 0) if self.accumulating else True
            vector = self._batch(batch, tf.convert_to_tensor(ready))
            sums = state[0] + vector
            finite = state[1] + tf.cast(tf.math.is_finite(sums), tf.float32)
            return (sums, finite, vector)[: len(state)]

        def known(i: tf.Tensor, *state: tf.Tensor) -> State:
            return (i + 1, *run(iterator.get_next(), i, state))

        def unknown(i: tf.Tensor, alive: tf.Tensor, *state: tf.Tensor) -> State:
            batch = iterator.get_next_as_optional()
            there = batch.has_value()
            state = tf.cond(there, lambda: run(batch.get_value(), i, state), lambda: state)
            return (i + tf.cast(there, tf.int64), there, *state)

        # Every variable of the loop costs some microseconds a batch: none that nobody needs.
        begin: State = (
            (tf.zeros([], tf.int64),)
            if self.known_length
            else (
                tf.zeros([], tf.int64),
                tf.constant(True),
            )
        )
        state = (sums, finite, tf.zeros_like(sums))[: 3 if self.keeps_last else 2]
        i, *rest = tf.while_loop(
            lambda i, *rest: i < count if self.known_length else tf.logical_and(i < count, rest[0]),
            known if self.known_length else unknown,
            (*begin, *state),
            parallel_iterations=1,
        )
        sums, finite, *last = rest[-len(state) :]
        results = self.metrics.results()
        self.result_names = tuple(results)
        values = tf.stack(list(results.values()) or [tf.zeros([])])
        return i, sums, finite, values, *last


def prediction(task: Any, element_spec: Any) -> Callable[[Any], Any]:
    """`predict_step` as a traced function of one batch."""
    traced = tf.function(lambda batch: task.predict_step(batch), autograph=False)
    concrete = traced.get_concrete_function(element_spec)
    return lambda batch: concrete(batch)


def build_lazily(task: Any, method: str, element_spec: Any) -> None:
    """Make the variables of models that are built by their first call.

    Runs the step once in a scratch graph, only where some layer is not built yet.
    """
    traced = tf.function(getattr(task, method), autograph=False)
    task._logged = {}
    task._minimize = lambda name, loss_fn: _scalar(loss_fn(), f"minimize({name!r})")
    try:
        traced.get_concrete_function(element_spec)
    finally:
        task._logged = task._minimize = None


def example_count(batch: Any) -> tf.Tensor:
    """How many examples a batch holds: the first dimension of its first tensor, 1 for a scalar."""
    first = tf.nest.flatten(batch)[0]
    if isinstance(first, tf.RaggedTensor):
        return first.nrows()
    if isinstance(first, tf.SparseTensor):
        return first.dense_shape[0]
    return tf.shape(first)[0] if first.shape.rank != 0 else tf.constant(1)


def _loss_names(losses: Values) -> Values:
    return {f"{name}_loss" if name else "loss": loss for name, loss in losses.items()}


def _scalar(loss: Any, where: str) -> tf.Tensor:
    loss = tf.convert_to_tensor(loss)
    if loss.shape.rank != 0:
        raise ConfigurationError(
            f"{where} gave a loss of shape {loss.shape}; give a scalar, the mean over the batch."
        )
    return tf.cast(loss, tf.float32)


def _warn_of_unsaved_random(traced: Any) -> None:
    drawn = sorted({op.type for op in traced.graph.get_operations()} & UNSAVED_RANDOM)
    if drawn:
        log.warning(
            "training_step draws with %s of tf.random, whose position no checkpoint can hold: a "
            "resumed run will not be exact. Draw with keras.random instead.",
            ", ".join(drawn),
        )


def _raw(variables: list[Any]) -> list[Any]:
    return [v.value if isinstance(v, keras.Variable) else v for v in variables]
