"""TrainingStep: a task's training step, its gradients and the update, in the graph."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.distribute.combined_batch import step_batch
from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.distribute.unsynced_statistics import UnsyncedStatistics
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.losses import name_losses, scalar_loss
from lightning_tf.graph.step_weight import StepWeight, WeightFoundLate, split_weight
from lightning_tf.graph.update_condition import refuse_branch, votes_against
from lightning_tf.keras_internals import learning_rate_of, wrapped_variable
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.step_context import StepContext, StepPosition, enter_step_context

Values = dict[str, tf.Tensor]  # float32 scalars by name
Gradients = dict[str, list[Any]]  # by optimizer, one for each of its variables, None among them
Overflows = dict[str, Any]  # by optimizer, on how many replicas its gradients are not finite


class TrainingStep:
    """Forward and gradients of one batch, and the update, in the graph.

    Args:
        task: Gives `training_step`.
        optimizers: By name, as `configure_optimizers` named them.
        statistics: What replicas keep for themselves.

    Attributes:
        trains: Whether the step moves variables.
        method: The task's method.
    """

    trains = True

    def __init__(
        self, task: Any, optimizers: dict[str, NamedOptimizer], statistics: UnsyncedStatistics
    ) -> None:
        self.task = task
        self.method = "training_step"
        self.optimizers = optimizers
        self.statistics = statistics
        self._rates = {n: learning_rate_of(o.optimizer) for n, o in optimizers.items()}
        self._weighs = False  # whether the step is known to return a weight
        self._position = StepPosition({})

    @property
    def counts_updates(self) -> bool:
        """Whether updates depend on how many there were, by `StepPosition`."""
        return any(optimizer.every > 1 for optimizer in self.optimizers.values())

    def __call__(
        self,
        batch: Any,
        ready: tf.Tensor,
        replica_batch: ReplicaBatch | None = None,
        around: StepContext | None = None,
    ) -> tuple[Values, Values, Gradients, StepWeight | None]:
        """Run one batch forward and backward.

        Args:
            batch: What is computed with.
            ready: Whether the batch completes its window of accumulation, a boolean scalar.
            replica_batch: The replica's; None on one device.
            around: What the step can reach on every replica.

        Returns:
            Losses, logged values, gradients by optimizer, not yet reduced over replicas, and the
            weight, where the step returns one.
        """
        if around is not None and around.position is not None:
            self._position = around.position
        minimized: dict[str, list[tf.Tensor]] = {}
        tape = tf.GradientTape(persistent=len(self.optimizers) > 1)

        graph = tf.compat.v1.get_default_graph()

        def minimize(name: str, loss_fn: Callable[[], tf.Tensor], when: Any = None) -> tf.Tensor:
            optimizer = self._optimizer(name)
            refuse_branch(name, graph)
            # Not on the outer tape: this loss has its gradients taken here, at once.
            with tape.stop_recording(), tf.GradientTape() as inner:
                loss = scalar_loss(loss_fn(), f"minimize({name!r})")  # ()
                scaled = optimizer.scale_loss(_weigh(loss, replica_batch))  # ()
            minimized.setdefault(name, []).append(loss)

            with tape.stop_recording():
                gradients = _gradients(inner, scaled, optimizer.variables)
                against = None if when is None else votes_against(name, when, replica_batch)
                against, reduced, overflows = self.all_reduce(
                    optimizer.placement, against, {name: gradients}
                )
                optimizer.placement.merge(
                    lambda merged: self._update(
                        name, merged[0], ready, overflows=merged[1], against=merged[2]
                    ),
                    (reduced[name], overflows[name], against),
                )
            return loss

        context = replace(
            around or StepContext(), logged={}, minimize=minimize, replica_batch=replica_batch
        )
        before = self.statistics.values() if self._weighs else []
        with tape:
            with enter_step_context(context), self.statistics.keep_where_idle(replica_batch):
                returned = self.task.training_step(step_batch(batch))
            returned, given = split_weight(returned, self.optimizers)
            losses = self._losses(returned, minimized)
            with tape.stop_recording():
                weight = self._weight(given, before, minimized, replica_batch)
            # Weighted before gradients are taken: those that pass through statistics of all
            # replicas add up as they are.
            scaled = {
                name: self._optimizer(name).scale_loss(_weigh(loss, replica_batch, weight))
                for name, loss in losses.items()
            }

        self._refuse_idle(losses, minimized)
        self._refuse_uneven_windows(losses, minimized)

        # Every gradient is taken before any variable moves: all losses see the same weights.
        gradients = {
            name: _gradients(tape, loss, self._optimizer(name).variables)
            for name, loss in scaled.items()
        }
        if weight is not None and replica_batch is not None:
            gradients = {n: weight.without_skipped(each) for n, each in gradients.items()}

        for name, repeated in minimized.items():
            losses[name] = tf.add_n(repeated) / len(repeated)  # ()
        return name_losses(losses), context.logged or {}, gradients, weight

    def all_reduce(
        self, placement: Placement, values: Any, gradients: Gradients
    ) -> tuple[Any, Gradients, Overflows]:
        """Sum over replicas, on each of them, what must be summed at every batch.

        Gradients that are accumulated wait on their replicas; whether all of them are finite
        does not.

        Args:
            placement: Of the replicas.
            values: A nest of tensors.
            gradients: Of this replica, by optimizer.

        Returns:
            The sums of the values, the gradients, and for each optimizer on how many replicas its
            gradients overflow, None where that is not asked.
        """
        optimizers = {name: self._optimizer(name) for name in gradients}
        late = {name: g for name, g in gradients.items() if optimizers[name].reduces_late}
        now = {name: g for name, g in gradients.items() if name not in late}
        overflows = {name: optimizers[name].overflow(g) for name, g in late.items()}

        (values, overflows), now = placement.all_reduce_gradients((values, overflows), now)
        return values, {**now, **late}, {**dict.fromkeys(now), **overflows}

    def update(
        self,
        gradients: Gradients,
        ready: tf.Tensor,
        weight: tf.Tensor | None = None,
        overflows: Overflows | None = None,
    ) -> None:
        """Update from what `all_reduce` gave.

        Args:
            gradients: Means over the batch.
            ready: Whether the batch completes its window of accumulation.
            weight: Of the batch, where the step returns one; 0 skips it.
            overflows: On how many replicas the gradients of each optimizer overflow.
        """
        for name, gradient in gradients.items():
            self._update(
                name, gradient, ready, weight=weight, overflows=(overflows or {}).get(name)
            )

    def _update(
        self,
        name: str,
        gradient: list[Any],
        ready: tf.Tensor,
        *,
        weight: tf.Tensor | None = None,
        overflows: Any = None,
        against: Any = None,
    ) -> None:
        optimizer = self._optimizer(name)
        conditions = []
        if against is not None:
            conditions.append(tf.equal(optimizer.placement.first(against), 0.0))  # ()
        if optimizer.every > 1:
            # Counted from the run's first update: the n-th is the first that moves anything.
            done = self._position.tensors["global_step"]  # () int32
            conditions.append(tf.equal((done + 1) % optimizer.every, 0))
        optimizer.update(gradient, ready, weight=weight, when=conditions, overflows=overflows)

    @contextmanager
    def packing(self, slots: PackedSlots) -> Iterator[None]:
        """Let the updates that are traced in the ``with`` block find their slots packed."""
        with ExitStack() as stack:
            for optimizer in self.optimizers.values():
                stack.enter_context(optimizer.pack_slots(slots))
            yield

    def refuse_new_rates(self) -> None:
        """Refuse a learning rate that is another object than the one that was traced.

        Raises:
            ConfigurationError: A hook has put a schedule in its place.
        """
        for name, optimizer in self.optimizers.items():
            was, now = self._rates[name], learning_rate_of(optimizer.optimizer)
            if now is not was:
                raise ConfigurationError(
                    f"the learning rate of optimizer {name or 'of the task'!r} was replaced by "
                    f"{now!r} after training_step was traced, and no checkpoint would know: give "
                    "the schedule to the optimizer in configure_optimizers, or assign numbers in "
                    "a hook."
                )

    def flush(self) -> None:
        """Update from an incomplete window of accumulation."""
        for optimizer in self.optimizers.values():
            optimizer.flush()

    def results(self) -> Values:
        """Return, where losses are scaled, how many updates were skipped since training began."""
        scalers = [o.loss_scaler for o in self.optimizers.values() if o.loss_scaler is not None]
        if not scalers:
            return {}
        total = tf.add_n([tf.identity(s.skipped_updates) for s in scalers])  # () int64
        return {"skipped_updates": tf.cast(total, tf.float32)}

    def _optimizer(self, name: str) -> NamedOptimizer:
        check_known(f"training_step names optimizer {name!r}", name, self.optimizers)
        return self.optimizers[name]

    def _refuse_idle(self, *losses: Mapping[str, Any]) -> None:
        """Refuse a step that has no loss for one of the optimizers."""
        idle = set(self.optimizers).difference(*losses)
        if idle:
            raise ConfigurationError(
                f"training_step gives no loss for {sorted(idle)}; return one for each of "
                f"{sorted(self.optimizers)}, or minimize it."
            )

    def _refuse_uneven_windows(self, losses: Values, minimized: Mapping[str, list[Any]]) -> None:
        """Refuse to accumulate over batches what is updated several times in a batch.

        The second update starts from where the first has moved the variables, but under
        accumulation the first moves nothing before the last batch: then one update would take all
        gradients but a few, and the others the rest.
        """
        for name, optimizer in self.optimizers.items():
            updates = len(minimized.get(name, ())) + (name in losses)
            if optimizer.accumulator is not None and updates > 1:
                raise ConfigurationError(
                    f"training_step updates optimizer {name!r} {updates} times in a batch, which "
                    "cannot be accumulated over batches: an update starts where the one before "
                    "has moved the weights. Leave out accumulate_grad_batches (or what else "
                    "accumulates) and give a larger batch_size, or update once in a batch."
                )

    def _weight(
        self,
        given: Any,
        before: list[tf.Tensor],
        minimized: Mapping[str, Any],
        replica_batch: ReplicaBatch | None,
    ) -> StepWeight | None:
        """Return the batch's weight; where it is 0 the statistics of layers are put back."""
        if given is None:
            return None
        if minimized:
            raise ConfigurationError(
                f"training_step returned a weight, but {sorted(minimized)} was minimized before: "
                "return all losses beside the weight, or say where an update is wanted: "
                "self.minimize(name, loss_fn, when=condition)."
            )
        if self.statistics.moving and not self._weighs:
            self._weighs = True
            raise WeightFoundLate
        weight = StepWeight.of(given, self.method, self.statistics.placement, replica_batch)
        self.statistics.put_back_where_skipped(before, weight.own, weight.total)
        return weight

    def _losses(self, returned: Any, minimized: Mapping[str, Any]) -> Values:
        """Return the losses that `training_step` returned, by optimizer."""
        if returned is None and minimized:
            return {}
        if isinstance(returned, Mapping):
            if not self.optimizers.keys() & returned.keys() and "" in self.optimizers:
                names = ", ".join(map(repr, returned)) or "nothing in it"
                raise ConfigurationError(
                    f"training_step returned a dict with {names}, and "
                    "configure_optimizers one optimizer: return the loss itself, or with what the "
                    "batch counts {'loss': loss, 'weight': weight}, and give other values to "
                    "self.log(name, value)."
                )
            return {name: _loss_tensor(loss) for name, loss in returned.items()}
        if returned is None or "" not in self.optimizers:
            skips = (
                " A step is traced once, so None cannot skip a batch: return the loss beside a "
                "weight that is 0 there, {'loss': loss, 'weight': weight}."
            )
            raise ConfigurationError(
                f"training_step returned {type(returned).__name__}; return a scalar loss"
                + (f" for each of {sorted(self.optimizers)}." if "" not in self.optimizers else ".")
                + (skips if returned is None else "")
            )
        return {"": _loss_tensor(returned)}


def _loss_tensor(loss: Any) -> tf.Tensor:
    """Return a loss as a scalar tensor; refuse a number, which has no gradient."""
    if isinstance(loss, (int, float, np.ndarray, np.generic)):
        raise ConfigurationError(
            f"training_step gave a loss that is {loss!r} of type {type(loss).__name__}, which has "
            "no gradient; return the tensor, not its value."
        )
    return scalar_loss(loss, "training_step")


def _weigh(
    loss: tf.Tensor, replica_batch: ReplicaBatch | None, weight: StepWeight | None = None
) -> tf.Tensor:
    """Return the loss times its replica's share of the batch, so that losses add up to the mean."""
    if weight is not None:
        return weight.share(loss)
    return loss if replica_batch is None else loss * replica_batch.fraction  # ()


def _gradients(tape: tf.GradientTape, loss: tf.Tensor, variables: list[Any]) -> list[Any]:
    """Return a loss's gradient for each variable, of its shape; None where it does not depend."""
    sources = [wrapped_variable(variable) for variable in variables]
    return [_dense(g, v) for g, v in zip(tape.gradient(loss, sources), sources, strict=True)]


def _dense(gradient: Any, variable: Any) -> Any:
    """Return the gradient; of an embedding, whose rows come one by one, the table of their sums.

    Keras' optimizers, and clipping, take a row that a batch reads twice for two gradients: Adam
    adds up two squares where it should square the sum. Workers could not exchange rows either,
    whose number differs: in a graph's loop TensorFlow gathers only what keeps its shape.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows = variable.shape[0]
    table = tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)  # (rows, width)
    return tf.ensure_shape(table, variable.shape)
