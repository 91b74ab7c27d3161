"""NamedOptimizer: a Keras optimizer, the variables it owns, and the order of its updates.

The Trainer owns loss scale, accumulation and clipping. What a Keras optimizer brings of these is
taken off it, because Keras runs them before the sum over replicas and its schedules per
micro-batch, and is done here instead.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import (
    learning_rate_of,
    optimized_variables,
    unreduced_gradients,
    wrapped_variable,
)
from lightning_tf.optimizers.clipping import Clipping
from lightning_tf.optimizers.extension_points import (
    changes_final_values,
    inner_optimizers,
    overrides_applying,
)
from lightning_tf.optimizers.gradient_accumulator import GradientAccumulator
from lightning_tf.optimizers.interval_schedule import EpochSchedule
from lightning_tf.optimizers.loss_scaler import LossScaler
from lightning_tf.optimizers.multi_tensor_update import (
    has_multi_tensor_rule,
    use_multi_tensor_update,
)
from lightning_tf.optimizers.optimizer_record import (
    named_variables,
    record_of,
)
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.optimizers.take_over import take_over
from lightning_tf.optimizers.variable_rates import VariableRates
from lightning_tf.variables import optimizable_variables, trainable_variables, variable_value

EPOCH_RATE = "epoch_rate"  # in a checkpoint, where a schedule of epochs gives it

log = logging.getLogger("lightning_tf")


class NamedOptimizer:
    """One Keras optimizer with the variables it owns, and what happens to their gradients.

    Args:
        name: The key in the dict of `configure_optimizers`; empty for a single optimizer.
        optimizer: A Keras optimizer; its own clipping, loss scale and accumulation are taken off.
        owner: The task or the attribute whose trainable variables it updates.
        clipping: The Trainer's clipping, or None.
        accumulating: Whether windows of several batches make one update.
        scaling: Whether the loss is scaled dynamically (mixed_float16).
        placement: Whether there are replicas, each with a copy of every variable.
        may_rest: Whether all its variables may be frozen, which is an error otherwise.
        every: It updates at every so-manieth update of the run.
        rates: Factors of the learning rate by variable.

    Attributes:
        variables: Those that train now.
        loss_scaler: None where the loss is not scaled.
        accumulator: None where every batch makes an update.
        clipping: None where gradients are not clipped.
        keras_accumulation: The gradient_accumulation_steps that Keras' optimizer came with, or 1.
    """

    def __init__(
        self,
        name: str,
        optimizer: keras.optimizers.Optimizer,
        owner: object,
        *,
        clipping: Clipping | None,
        accumulating: bool,
        scaling: bool,
        placement: Placement,
        may_rest: bool = False,
        every: int = 1,
        rates: VariableRates | None = None,
    ) -> None:
        self.name, self.every = name, every
        self.rates = VariableRates() if rates is None else rates
        self.placement = placement
        self.owner = owner
        self.optimizer, self._keras_clipping, self.keras_accumulation = take_over(optimizer)
        self._after_update: list[Callable[[Sequence[Any]], None]] = []
        self._may_rest = may_rest

        self._refuse_overwriting()
        self._refuse_rates()
        # Slots of frozen layers are made too, so that unfreezing them later keeps every slot.
        if not self.optimizer.built:
            self.optimizer.build(optimizable_variables(owner))
        else:
            self._refuse_other_models()

        self._known = {id(variable) for variable in optimizable_variables(owner)}
        accumulates = accumulating or self.keras_accumulation > 1
        self.loss_scaler = LossScaler() if scaling else None
        self.accumulator = GradientAccumulator(placement) if accumulates else None
        self.clip_by(clipping)

        self._reached: set[int] = set()  # ids of variables that a loss was seen to depend on
        self._packed_slots: PackedSlots | None = None
        self.refresh()

    def _refuse_other_models(self) -> None:
        """Refuse an optimizer that has slots for a model's variables and none for the task's."""
        built = {id(variable) for variable in optimized_variables(self.optimizer)}
        if not any(id(variable) in built for variable in optimizable_variables(self.owner)):
            raise ConfigurationError(
                f"optimizer {type(self.optimizer).__name__} was built for the variables of another "
                "model; make a new one for each task."
            )

    def _refuse_overwriting(self) -> None:
        """Refuse what Keras can do with no strategy: averages put into weights by a replica."""
        frequency = getattr(self.optimizer, "ema_overwrite_frequency", None)
        own_code = overrides_applying(self.optimizer) and self.placement.copies_variables
        if own_code and self.optimizer.use_ema and frequency:
            raise ConfigurationError(
                f"optimizer {type(self.optimizer).__name__} has ema_overwrite_frequency="
                f"{frequency} and overrides how gradients are applied, which cannot be traced for "
                "several devices; override update_step instead, or leave one of them out."
            )

    def _refuse_rates(self) -> None:
        """Refuse factors of the rate where a user's code, or several optimizers, apply."""
        own_code = overrides_applying(self.optimizer) or inner_optimizers(self.optimizer)
        if self.rates and own_code:
            raise ConfigurationError(
                f"optimizer {type(self.optimizer).__name__} applies gradients by code of its own, "
                "which learning_rates cannot reach; give the parts optimizers of their own."
            )

    def begin_epoch(self, epoch: int) -> None:
        """Take the learning rate of an epoch, where the schedule is one of epochs."""
        if (schedule := self._epoch_schedule) is not None:
            schedule.begin_epoch(epoch)

    @property
    def _epoch_schedule(self) -> EpochSchedule | None:
        schedule = learning_rate_of(self.optimizer)
        while not isinstance(schedule, EpochSchedule):  # a callback may have wrapped it
            if not hasattr(schedule, "schedule"):
                return None
            schedule = schedule.schedule
        return schedule

    def call_after_update(self, act: Callable[[Sequence[Any]], None]) -> None:
        """Call a function in the graph after every update, with the variables that it moved."""
        self._after_update.append(act)

    def clip_by(self, clipping: Clipping | None) -> None:
        """Clip by the Trainer's clipping, or else by what the optimizer came with."""
        self.clipping = clipping or self._keras_clipping

    def allow_rest(self) -> None:
        """Let all its variables be frozen for a while, which is an error otherwise."""
        self._may_rest = True

    def refresh(self) -> None:
        """Find the variables that train now; called again when layers are (un)frozen.

        Raises:
            ConfigurationError: There are none, and the optimizer may not rest; or one was made
                after the optimizer.
        """
        self.variables = trainable_variables(self.owner)
        new = [v.name for v in self.variables if id(v) not in self._known]
        if new:
            raise ConfigurationError(
                f"{', '.join(new)} was made after the optimizers, which cannot update it: make "
                "variables in configure_model, or set trainable=False."
            )
        if not self.variables and not self._may_rest:
            raise ConfigurationError(
                f"optimizer {self.name or type(self.optimizer).__name__!r} has no trainable "
                "variable; unfreeze a layer or build its model in configure_model."
            )
        if self.accumulator is not None:
            self.accumulator.build(self.variables)

    def state(self) -> dict[str, Any]:
        """Return every variable that a resumed run needs, by a stable name."""
        state = named_variables(self.optimizer)
        if (schedule := self._epoch_schedule) is not None:
            state[EPOCH_RATE] = schedule.rate
        if self.loss_scaler is not None:
            state.update(self.loss_scaler.variables())
        if self.accumulator is not None:
            state.update(self.accumulator.variables(self._positions()))
        return state

    @property
    def changes_final_values(self) -> bool:
        """Whether `finalize` may change weights."""
        return changes_final_values(self.optimizer)

    def finalize(self) -> None:
        """Let Keras' optimizer put into the weights what fit leaves there, averages for one."""
        # Of all that it was built for, as it has an average of each.
        variables = optimized_variables(self.optimizer)
        training = {id(variable) for variable in self.variables}
        frozen = [(v, tf.identity(variable_value(v))) for v in variables if id(v) not in training]

        self.optimizer.finalize_variable_values(variables)
        for variable, value in frozen:  # whose average is the value itself, but for rounding
            variable.assign(value)

    def initial_state(self) -> dict[str, Any]:
        """Return the values with which what the Trainer adds to Keras' optimizer begins.

        Of a checkpoint that was written between two updates nothing else can be missing: one that
        did not accumulate has no sums, one in another precision no loss scale.
        """
        state: dict[str, Any] = {} if self.loss_scaler is None else self.loss_scaler.initial()
        if (schedule := self._epoch_schedule) is not None:
            state[EPOCH_RATE] = schedule.rate.numpy()
        if self.accumulator is not None:
            state |= self.accumulator.initial(self._positions())
        return state

    def record(self) -> dict[str, Any]:
        """Return what a checkpoint says of it: its class, its slots, its configuration."""
        record = record_of(self.optimizer)
        own = {"every": self.every, "learning_rates": self.rates.patterns}
        return {**record, "config": {**record["config"], **own}}

    def _positions(self) -> dict[int, int]:
        return {id(v): i for i, v in enumerate(optimizable_variables(self.owner))}

    @contextmanager
    def pack_slots(self, slots: PackedSlots) -> Iterator[None]:
        """Trace its updates for a window, which keeps the slots of small variables packed."""
        if has_multi_tensor_rule(self.optimizer):
            variables = [wrapped_variable(variable) for variable in self.variables]
            slots.plan(self.optimizer, variables, self.rates)
        self._packed_slots = slots
        try:
            yield
        finally:
            self._packed_slots = None

    @property
    def reduces_late(self) -> bool:
        """Whether `update` takes each replica's own gradients, to sum them once an update."""
        return self.accumulator is not None and self.accumulator.sums_of_replicas

    # ---- in the graph

    def overflow(self, gradients: Sequence[Any]) -> tf.Tensor | None:
        """Return, on a replica, 1 where its own gradients are not finite, else 0.

        None where nothing looks, because the loss is not scaled.
        """
        if self.loss_scaler is None:
            return None
        finite = self.loss_scaler.are_finite([g for g in gradients if g is not None])
        return 1.0 - tf.cast(finite, tf.float32)  # ()

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss times the loss scale, where there is one."""
        return loss if self.loss_scaler is None else self.loss_scaler.scale_loss(loss)

    def update(
        self,
        gradients: Sequence[Any],
        ready: tf.Tensor,
        *,
        weight: tf.Tensor | None = None,
        when: Sequence[tf.Tensor] = (),
        overflows: Any = None,
    ) -> None:
        """Take the gradients of one batch and update the variables where it is time.

        Decides and updates once for all replicas, so it is called outside of them. The order, from
        the loss on: scale, gradients, sum over replicas, then here unscale, finite test,
        accumulate, clip, apply. Where batches are accumulated on several replicas (`reduces_late`)
        the sum over replicas comes after the accumulation, once an update.

        Args:
            gradients: One for each of `variables`, of the scaled loss, reduced over replicas unless
                it `reduces_late`; None where the loss does not depend on the variable.
            ready: Boolean scalar, whether this batch completes its window of accumulation.
            weight: What the batch counts in its window; None is what every other one does, 0
                nothing.
            when: Boolean scalars, all of which must hold for the batch to count at all.
            overflows: On how many replicas the gradients are not finite, where it `reduces_late`.

        Raises:
            ConfigurationError: The loss depends on none of the variables.
        """
        if not self.variables:
            return  # it rests: refresh() let that pass

        gradients, variables = self._select_reached(gradients)
        conditions = [*when, *([] if weight is None else [weight > 0.0])]
        if conditions:
            # Of a batch that does not count not even the loss scale learns.
            counts = tf.reduce_all(conditions)
            _act_if(counts, self._take, gradients, variables, weight, overflows)
        else:
            self._take(gradients, variables, weight, overflows)

        if self.accumulator is None:
            return
        # Out here, as replicas cannot be summed inside a branch. The batch that completes the
        # window may be one that was skipped: then what there is makes the update.
        if conditions or self.loss_scaler is not None:
            ready = tf.logical_and(ready, self.accumulator.batches > 0.0)
        self._apply_accumulated_if(ready, self.accumulator, variables)

    def _take(
        self, gradients: list[Any], variables: list[Any], weight: tf.Tensor | None, overflows: Any
    ) -> None:
        """Take the gradients of a batch that counts."""
        scaler, accumulator = self.loss_scaler, self.accumulator

        def take(gradients: list[Any]) -> None:
            # Accumulate after the finite test: a batch that overflows leaves its window as it is.
            if accumulator is None:
                self._clip_and_apply(gradients, variables)
            else:
                accumulator.add(gradients, variables, weight)

        if scaler is None:
            take(gradients)
            return

        # Unscale first: limits of clipping and epsilons are meant for gradients of the loss itself.
        gradients = self.placement.each(scaler.unscale, gradients)

        # Test once for all: infinity on any replica skips the update on all of them.
        if self.reduces_late:
            finite = tf.equal(self.placement.first(overflows), 0.0)
        else:
            finite = scaler.are_finite(self.placement.first(gradients))
        _act_if(finite, take, gradients)

        # Adjust the scale after its last use on this batch.
        scaler.adjust(finite)

    def flush(self) -> None:
        """Update from what is accumulated, divided by the true number of batches, if anything."""
        if self.accumulator is None:
            return
        # The epoch's end, where no gradients tell which variables a loss depends on; weight decay
        # would move the others.
        variables = [v for v in self.variables if id(v) in self._reached]
        self._apply_accumulated_if(self.accumulator.batches > 0.0, self.accumulator, variables)

    def _select_reached(self, gradients: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return the gradients that there are, and their variables."""
        pairs = [(g, v) for g, v in zip(gradients, self.variables, strict=True) if g is not None]
        if not pairs:
            raise ConfigurationError(
                f"the loss of optimizer {self.name or 'of the task'!r} depends on none of its "
                "variables; compute it from the models in training_step."
            )
        self._reached.update(id(variable) for _, variable in pairs)
        return [gradient for gradient, _ in pairs], [variable for _, variable in pairs]

    def _apply_accumulated_if(
        self, predicate: tf.Tensor, accumulator: GradientAccumulator, variables: Sequence[Any]
    ) -> None:
        """Clip and apply the mean of the window, as if it were one large batch, and begin anew."""
        scaler = self.loss_scaler if self.reduces_late else None

        def apply(state: tf.Tensor) -> tf.Tensor:
            if scaler is None:
                self._clip_and_apply(accumulator.means(variables), list(variables))
            else:
                means = accumulator.means(variables, scaler.scale)
                # Again: in float16 the sum of finite numbers may be none.
                finite = scaler.are_finite(self.placement.first(means))
                _act_if(finite, self._clip_and_apply, means, list(variables))
                _act_if(tf.logical_not(finite), scaler.adjust, finite)
            accumulator.reset(variables)
            return state

        self.placement.run_if(predicate, apply, tf.constant(0))

    def _clip_and_apply(self, gradients: list[Any], variables: list[Any]) -> None:
        # Clip at the very end: before the sum or the mean, opposite gradients would not cancel out.
        if self.clipping is not None:
            gradients = self.placement.each(self.clipping, gradients)
        self._apply(gradients, variables)

        for act in self._after_update:
            act(variables)

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        """Call Keras' outermost method, as fit does: it leads to all that a user may override."""
        # A user's code computes with tensors, as on one device, and not with values a replica.
        own_code = overrides_applying(self.optimizer)
        if own_code and self.placement.copies_variables:
            with unreduced_gradients(self.optimizer):
                self.placement.each(
                    lambda gradients: _apply_gradients(self.optimizer, gradients, variables),
                    gradients,
                )
            return
        if own_code:
            gradients = self.placement.first(gradients)

        multi_tensor = use_multi_tensor_update(
            self.optimizer, self.placement, self._packed_slots, self.rates
        )
        with self.placement.apply_context(), multi_tensor:
            _apply_gradients(self.optimizer, gradients, variables)


def _apply_gradients(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    pairs = list(zip(gradients, variables, strict=True))
    if pairs:
        optimizer.apply_gradients(pairs)
    else:  # all its weights are frozen: Keras' method cannot take none, and an update counts
        optimizer.apply([], [])


def _act_if(predicate: tf.Tensor, act: Callable[..., None], *args: Any) -> None:
    def branch() -> int:
        act(*args)
        return 0  # both branches of tf.cond must return the same thing

    tf.cond(predicate, branch, lambda: 0)
