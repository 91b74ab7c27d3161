"""The device side of a batch: the task's steps, their losses and gradients, in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.unsynced_statistics import UnsyncedStatistics
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.graph.custom_gradients import forget_with
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.step_context import StepContext, running
from lightning_tf.variables import tensorflow_variable

Values = dict[str, tf.Tensor]
Gradients = dict[str, list[Any]]


class TrainingStep:
    """Forward and gradients of one batch, and the update, in the graph.

    Args:
        task: Gives `training_step`.
        optimizers: By name, as `configure_optimizers` named them.
        statistics: What replicas keep for themselves.
    """

    def __init__(
        self, task: Any, optimizers: dict[str, NamedOptimizer], statistics: UnsyncedStatistics
    ) -> None:
        self.task = task
        self.method = "training_step"
        self.optimizers = optimizers
        self.statistics = statistics

    def __call__(
        self, batch: Any, ready: tf.Tensor, part: ReplicaBatch | None = None
    ) -> tuple[Values, Values, Gradients]:
        """Run one batch forward and backward.

        Args:
            batch: What is computed with.
            ready: Whether the batch completes its window of accumulation.
            part: Of a replica; None on one device.

        Returns:
            Losses, logged values, and gradients by optimizer, not yet summed over replicas.
        """
        minimized: dict[str, list[tf.Tensor]] = {}
        tape = tf.GradientTape(persistent=len(self.optimizers) > 1)

        def minimize(name: str, loss_fn: Callable[[], tf.Tensor]) -> tf.Tensor:
            optimizer = self._named(name)
            with tape.stop_recording(), tf.GradientTape() as inner:
                loss = _scalar(loss_fn(), f"minimize({name!r})")
                scaled = optimizer.scaled(_shared(loss, part))
            minimized.setdefault(name, []).append(loss)
            with tape.stop_recording():
                gradients = _gradients(inner, scaled, optimizer.variables)
                optimizer.placement.sum_then(lambda g: optimizer.update(g, ready), gradients)
            return loss

        step = StepContext({}, minimize, part)
        with tape:
            with running(step), self.statistics.kept_where_idle(part):
                returned = self.task.training_step(batch)
            losses = self._losses(returned, minimized)
            # Before gradients are taken: those that pass through statistics of all replicas add up.
            scaled = {
                name: self._named(name).scaled(_shared(loss, part)) for name, loss in losses.items()
            }
        self._refuse_idle(losses, minimized)
        self._refuse_uneven_windows(losses, minimized)
        # Every gradient is taken before any variable moves: all losses see the same weights.
        gradients = {
            name: _gradients(tape, loss, self._named(name).variables)
            for name, loss in scaled.items()
        }
        for name, parts in minimized.items():
            losses[name] = tf.add_n(parts) / len(parts)
        return _loss_names(losses), step.logged or {}, gradients

    def update(self, gradients: Gradients, ready: tf.Tensor) -> None:
        """Update from gradients that are summed over replicas."""
        for name, gradient in gradients.items():
            self._named(name).update(gradient, ready)

    @contextmanager
    def packing(self, slots: PackedSlots) -> Iterator[None]:
        """While it is traced for a window, which lays out what the updates need of the slots."""
        with ExitStack() as stack:
            for optimizer in self.optimizers.values():
                stack.enter_context(optimizer.packing(slots))
            yield

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        for optimizer in self.optimizers.values():
            optimizer.flush()

    def results(self) -> Values:
        """Where losses are scaled: how many batches no optimizer took, since training began."""
        skipped = [o.skipped for o in self.optimizers.values() if o.skipped is not None]
        if not skipped:
            return {}
        return {"skipped_updates": tf.cast(tf.add_n([tf.identity(s) for s in skipped]), tf.float32)}

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

    def _refuse_uneven_windows(self, losses: Values, minimized: Mapping[str, list[Any]]) -> None:
        """Several updates in a batch cannot be gathered over batches.

        The second one starts from where the first has moved the variables, which under accumulation
        moves nothing before the window's last batch: then one update would take all gradients but a
        few and the others the rest.
        """
        for name, optimizer in self.optimizers.items():
            updates = len(minimized.get(name, ())) + (name in losses)
            if optimizer.accumulating and updates > 1:
                raise ConfigurationError(
                    f"training_step updates optimizer {name!r} {updates} times in a batch, which "
                    "cannot be accumulated over batches: an update starts where the one before "
                    "has moved the weights. Leave out accumulate_grad_batches (or what else "
                    "accumulates) and give a larger batch_size, or update once in a batch."
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

    def __call__(
        self, batch: Any, ready: tf.Tensor, part: ReplicaBatch | None = None
    ) -> tuple[Values, Values, Gradients]:
        """Run one batch; there are no gradients."""
        step = StepContext({}, part=part)
        with running(step):
            returned = getattr(self.task, self.method)(batch)
        logged = step.logged or {}
        if returned is None:
            return {}, logged, {}
        losses = returned if isinstance(returned, Mapping) else {"": returned}
        named = _loss_names({k: _scalar(v, self.method) for k, v in losses.items()})
        return named, logged, {}

    def update(self, gradients: Gradients, ready: tf.Tensor) -> None:
        """Nothing: evaluation moves no variable."""

    def packing(self, slots: PackedSlots) -> AbstractContextManager[None]:
        """Nothing: evaluation has no slots."""
        return nullcontext()

    def flush(self) -> None:
        """Nothing: evaluation accumulates nothing."""

    def results(self) -> Values:
        """Nothing besides the metrics."""
        return {}


def prediction(task: Any, element_spec: Any, placement: Placement) -> Any:
    """`predict_step` as a concrete function of one batch, rows in the order of the batch."""

    def predict(batch: Any, part: ReplicaBatch | None) -> Any:
        with running(StepContext(part=part)):
            return task.predict_step(batch)

    traced = tf.function(lambda batch: placement.gather(predict, batch), autograph=False)
    concrete = traced.get_concrete_function(element_spec)
    forget_with(concrete, concrete.graph)
    return concrete


def build_lazily(task: Any, method: str, element_spec: Any) -> None:
    """Make the variables of models and metrics that are built by their first call.

    Runs the step once in a scratch graph.
    """
    traced = tf.function(getattr(task, method), autograph=False)
    step = StepContext({}, lambda name, loss_fn: _scalar(loss_fn(), f"minimize({name!r})"))
    with ExitStack() as stack:
        stack.enter_context(running(step))
        if tf.distribute.has_strategy():
            # Under a strategy a graph cannot make variables: Keras makes them when this scope ends.
            stack.enter_context(keras.StatelessScope())
        traced.get_concrete_function(element_spec)


def _shared(loss: tf.Tensor, part: ReplicaBatch | None) -> tf.Tensor:
    """The loss times its replica's share of the batch, so that losses add up to the mean."""
    return loss if part is None else loss * part.share


def _loss_names(losses: Values) -> Values:
    return {f"{name}_loss" if name else "loss": loss for name, loss in losses.items()}


def _scalar(loss: Any, where: str) -> tf.Tensor:
    loss = tf.convert_to_tensor(loss)
    if loss.shape.rank != 0:
        raise ConfigurationError(
            f"{where} gave a loss of shape {loss.shape}; give a scalar, the mean over the batch."
        )
    return tf.cast(loss, tf.float32)


def _gradients(tape: tf.GradientTape, loss: tf.Tensor, variables: list[Any]) -> list[Any]:
    held = [tensorflow_variable(variable) for variable in variables]
    return [_whole(g, v) for g, v in zip(tape.gradient(loss, held), held, strict=True)]


def _whole(gradient: Any, variable: Any) -> Any:
    """The gradient itself; of an embedding, whose rows come one by one, the table of their sums.

    Keras' optimizers, and clipping, take a row that a batch reads twice for two gradients: Adam
    adds up two squares where it should square the sum. Workers could not exchange rows either,
    whose number differs: in a graph's loop TensorFlow gathers only what keeps its shape.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    table = tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
    return tf.ensure_shape(table, variable.shape)
