"""Named optimizers: loss scale, accumulation, clipping and schedules, once per update.

The order of every update is: scale the loss, gradients, one sum over replicas, unscale, finite
test, accumulate, clip, apply. The Trainer owns scale, accumulation and clipping; what a Keras
optimizer brings of these is taken off it, because Keras runs them before the sum over replicas
and its schedules per micro-batch, and is done here instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.variable_placement import move_optimizer_here
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.optimizers.multi_tensor_update import can_group, grouped
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.variables import optimizable_variables, tensorflow_variable, trainable_variables

log = logging.getLogger("lightning_tf")

INITIAL_LOSS_SCALE = 2.0**15
LOSS_SCALE_GROWTH_INTERVAL = 2000  # finite updates after which the scale doubles


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped, after the sum over replicas and after accumulation.

    Attributes:
        algorithm: ``norm`` (the norm of all gradients of the optimizer together), ``value`` (each
            element), or ``variable_norm`` (the norm of each variable's gradient by itself).
        limit: The largest norm or absolute value that passes unchanged.
    """

    algorithm: str
    limit: float

    def __call__(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The clipped gradients."""
        if self.algorithm == "norm":
            return list(tf.clip_by_global_norm(gradients, self.limit)[0])
        if self.algorithm == "variable_norm":
            return [tf.clip_by_norm(gradient, self.limit) for gradient in gradients]
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return [tf.clip_by_value(gradient, -self.limit, self.limit) for gradient in dense]


class NamedOptimizer:
    """One Keras optimizer, the variables it owns, and what happens to gradients before it.

    Args:
        name: The key in the dict of `configure_optimizers`; empty for a single optimizer.
        optimizer: A Keras optimizer; its own clipping, loss scale and accumulation are taken off.
        owner: The task or the attribute whose trainable variables it updates.
        clipping: The Trainer's clipping, or None.
        accumulating: Whether windows of several batches make one update.
        scaling: Whether the loss is scaled dynamically (mixed_float16).
        placement: Whether there are replicas, each with a copy of every variable.

    Attributes:
        after_update: Called in the graph after every update that moved variables, with these.
        may_rest: Whether all its variables may be frozen for a while; otherwise that is an error.
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
    ) -> None:
        self.name = name
        self.placement = placement
        self.owner = owner
        self.optimizer, own_clipping, self.own_accumulation = _stripped(optimizer)
        self.clipping = clipping or own_clipping
        self.accumulating = accumulating or self.own_accumulation > 1
        move_optimizer_here(self.optimizer)
        # Slots of frozen layers are made too, so that unfreezing them later keeps every slot.
        if not self.optimizer.built:
            self.optimizer.build(optimizable_variables(owner))
        self.loss_scale = tf.Variable(INITIAL_LOSS_SCALE, trainable=False) if scaling else None
        self.finite_updates = tf.Variable(0, trainable=False) if scaling else None
        self.skipped = tf.Variable(0, trainable=False) if scaling else None
        self.accumulated = tf.Variable(0.0, trainable=False) if self.accumulating else None
        self._sums: dict[int, tf.Variable] = {}
        self._reached: set[int] = set()  # variables that a loss was seen to depend on
        self.after_update: list[Callable[[Sequence[Any]], None]] = []
        self.may_rest = False
        self._laid_out: PackedSlots | None = None
        self.refresh()

    def refresh(self) -> None:
        """Take up the variables that train now; called again when layers are (un)frozen."""
        self.variables = trainable_variables(self.owner)
        if not self.variables and not self.may_rest:
            raise ConfigurationError(
                f"optimizer {self.name or type(self.optimizer).__name__!r} has no trainable "
                "variable; unfreeze a layer or build its model in configure_model."
            )
        if self.accumulating:
            for variable in self.variables:
                if id(variable) not in self._sums:
                    zeros = tf.zeros(variable.shape, variable.dtype)
                    self._sums[id(variable)] = tf.Variable(zeros, trainable=False)

    def state(self) -> dict[str, Any]:
        """Every variable that a resumed run needs, by a stable name."""
        # By position: a slot's own name holds its layer's, which differs between processes.
        found: dict[str, Any] = {f"{i:04d}": v for i, v in enumerate(self.optimizer.variables)}
        if self.loss_scale is not None:
            found["loss_scale"] = self.loss_scale
            found["finite_updates"] = self.finite_updates
            found["skipped_updates"] = self.skipped
        if self.accumulated is not None:
            found["accumulated"] = self.accumulated
            positions = {id(v): i for i, v in enumerate(optimizable_variables(self.owner))}
            for key, total in self._sums.items():
                found[f"accumulator.{positions[key]:04d}"] = total
        return found

    @contextmanager
    def packing(self, slots: PackedSlots) -> Iterator[None]:
        """While its updates are traced for a window, which has the slots of small variables."""
        if can_group(self.optimizer):
            slots.plan(
                self.optimizer, [tensorflow_variable(variable) for variable in self.variables]
            )
        self._laid_out = slots
        try:
            yield
        finally:
            self._laid_out = None

    # ---- in the graph

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss times the loss scale."""
        return loss if self.loss_scale is None else loss * self.loss_scale

    def update(self, gradients: Sequence[Any], ready: tf.Tensor) -> None:
        """Take the gradients of one batch and update the variables where it is time.

        Decides and updates once for all replicas, so it is called outside of them.

        Args:
            gradients: One for each of `variables`, of the scaled loss, summed over replicas; None
                where the loss does not depend on the variable.
            ready: Boolean scalar, whether this batch completes its window of accumulation.
        """
        if not self.variables:
            return  # it rests: refresh() let that pass
        pairs = [(g, v) for g, v in zip(gradients, self.variables, strict=True) if g is not None]
        if not pairs:
            raise ConfigurationError(
                f"the loss of optimizer {self.name or 'of the task'!r} depends on none of its "
                "variables; compute it from the models in training_step."
            )
        taken = [gradient for gradient, _ in pairs]
        variables = [variable for _, variable in pairs]
        self._reached.update(map(id, variables))
        if self.loss_scale is None:
            self._take(taken, variables, ready)
            return
        taken = self.placement.each(self._unscaled, taken)
        own = self.placement.first(taken)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in own])
        tf.cond(finite, _acting(self._take, taken, variables, ready), lambda: 0)
        self._adjust_scale(finite)
        if self.accumulating:
            # The batch that completes the window may be the skipped one.
            skipped_last = tf.logical_and(ready, tf.logical_not(finite))
            tf.cond(skipped_last, _acting(self.flush, variables), lambda: 0)

    def flush(self, variables: Sequence[Any] | None = None) -> None:
        """Update from what is accumulated, divided by the true number of batches, if anything."""
        if self.accumulated is None:
            return
        if variables is None:  # weight decay would move a variable that no loss depends on
            variables = [v for v in self.variables if id(v) in self._reached]
        count = self.accumulated
        tf.cond(count > 0.0, _acting(self._apply_accumulated, variables), lambda: 0)

    def _unscaled(self, gradients: list[Any]) -> list[Any]:
        return [gradient / tf.cast(self.loss_scale, gradient.dtype) for gradient in gradients]

    def _take(self, gradients: list[Any], variables: list[Any], ready: tf.Tensor) -> None:
        if self.accumulated is None:
            self._apply(gradients, variables)
            return
        self.placement.each(self._accumulate, gradients, [id(variable) for variable in variables])
        tf.cond(ready, _acting(self._apply_accumulated, variables), lambda: 0)

    def _accumulate(self, gradients: list[Any], keys: list[int]) -> None:
        for gradient, key in zip(gradients, keys, strict=True):
            self._sums[key].assign_add(gradient)
        self.accumulated.assign_add(1.0)  # type: ignore[union-attr]

    def _apply_accumulated(self, variables: Sequence[Any]) -> None:
        keys = [id(variable) for variable in variables]
        self._apply(self.placement.each(self._means, keys), list(variables))
        self.placement.each(self._empty, keys)

    def _means(self, keys: list[int]) -> list[tf.Tensor]:
        sums = [self._sums[key] for key in keys]
        return [s / tf.cast(self.accumulated, s.dtype) for s in sums]

    def _empty(self, keys: list[int]) -> None:
        for key in keys:
            self._sums[key].assign(tf.zeros_like(self._sums[key]))
        self.accumulated.assign(0.0)  # type: ignore[union-attr]

    def _apply(self, gradients: list[Any], variables: list[Any]) -> None:
        if self.clipping is not None:
            gradients = self.placement.each(self.clipping, gradients)
        ways = grouped(self.optimizer, self.placement, self._laid_out)
        with self.placement.applying(), ways:
            self.optimizer.apply(gradients, variables)
        for act in self.after_update:
            act(variables)

    def _adjust_scale(self, finite: tf.Tensor) -> None:
        scale, streak = self.loss_scale, self.finite_updates
        if scale is None or streak is None:
            return
        grows = tf.logical_and(finite, streak >= LOSS_SCALE_GROWTH_INTERVAL - 1)
        streak.assign(tf.where(tf.logical_and(finite, tf.logical_not(grows)), streak + 1, 0))
        factor = tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        scale.assign(tf.maximum(scale * factor, 1.0))
        self.skipped.assign_add(tf.cast(tf.logical_not(finite), tf.int32))  # type: ignore[union-attr]


def _acting(act: Callable[..., None], *args: Any) -> Callable[[], int]:
    """A branch of tf.cond that acts; both branches must return the same thing, so it is 0."""

    def branch() -> int:
        act(*args)
        return 0

    return branch


def _stripped(optimizer: Any) -> tuple[Any, Clipping | None, int]:
    """Take clipping, loss scale and accumulation off a Keras optimizer; return what it brought."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        log.info("LossScaleOptimizer: its inner optimizer is used; the Trainer scales the loss.")
        optimizer = optimizer.inner_optimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ConfigurationError(
            f"configure_optimizers gave {optimizer!r}; return keras optimizers, one or a dict."
        )
    clipping = None
    for attribute, algorithm in (
        ("global_clipnorm", "norm"),
        ("clipnorm", "variable_norm"),
        ("clipvalue", "value"),
    ):
        limit = getattr(optimizer, attribute, None)
        if limit is not None:
            clipping = Clipping(algorithm, float(limit))
            setattr(optimizer, attribute, None)
            log.info("%s=%s is applied by the Trainer, after the reduction.", attribute, limit)
    accumulation = int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)
    if accumulation > 1:
        optimizer.gradient_accumulation_steps = None
        log.info("gradient_accumulation_steps=%s is done by the Trainer.", accumulation)
    optimizer.loss_scale_factor = None
    return optimizer, clipping, accumulation


def named_optimizers(
    task: Any,
    configured: Any,
    *,
    clipping: Clipping | None,
    accumulating: bool,
    scaling: bool,
    placement: Placement,
) -> dict[str, NamedOptimizer]:
    """Build what `configure_optimizers` returned, in the scope that is current.

    Args:
        task: The task; a key of the dict must be one of its attributes.
        configured: A Keras optimizer, or a dict of them by attribute name.
        clipping: The Trainer's clipping, or None for what the optimizers bring.
        accumulating: Whether windows of several batches make one update, in any epoch.
        scaling: Whether losses are scaled (mixed_float16).
        placement: Whether there are replicas.

    Raises:
        ConfigurationError: A key names no attribute, or a value is no Keras optimizer.
    """
    if not isinstance(configured, Mapping):
        configured = {"": configured}
    if not configured:
        raise ConfigurationError("configure_optimizers gave an empty dict; name an optimizer.")
    built = {}
    for name, optimizer in configured.items():
        if name and not hasattr(task, name):
            raise ConfigurationError(
                f"configure_optimizers names {name!r}, which is no attribute of "
                f"{type(task).__name__}.{nearest(name, vars(task))}"
            )
        built[name] = NamedOptimizer(
            name,
            optimizer,
            getattr(task, name) if name else task,
            clipping=clipping,
            accumulating=accumulating,
            scaling=scaling,
            placement=placement,
        )
    return built
