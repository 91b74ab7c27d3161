"""EvaluationStep: a task's validation or test step, in the graph."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.graph.losses import LOSS, name_losses, refuse_loss_key, scalar_loss
from lightning_tf.graph.step_weight import WEIGHT, StepWeight, is_scalar
from lightning_tf.graph.training_step import Gradients, Overflows, Values
from lightning_tf.optimizers.packed_slots import PackedSlots
from lightning_tf.step_context import StepContext, enter_step_context


class EvaluationStep:
    """`validation_step` or `test_step` of one batch, in the graph.

    Has the methods of `TrainingStep`; those about updates do nothing.

    Args:
        task: Gives the step.
        method: ``validation_step`` or ``test_step``.

    Attributes:
        trains: Whether the step moves variables.
    """

    trains = False
    counts_updates = False

    def __init__(self, task: Any, method: str) -> None:
        self.task = task
        self.method = method

    def __call__(
        self,
        batch: Any,
        ready: tf.Tensor,
        replica_batch: ReplicaBatch | None = None,
        around: StepContext | None = None,
    ) -> tuple[Values, Values, Gradients, StepWeight | None]:
        """Run one batch; there are no gradients."""
        context = replace(around or StepContext(), logged={}, replica_batch=replica_batch)
        with enter_step_context(context):
            returned = getattr(self.task, self.method)(batch)

        weight = None
        if isinstance(returned, Mapping) and is_scalar(returned.get(WEIGHT)):
            weight = StepWeight.of(returned[WEIGHT], self.method, None, replica_batch)
            returned = {name: value for name, value in returned.items() if name != WEIGHT}
        losses = self._losses(returned, context)
        logged = context.logged or {}
        scalars = {name: scalar_loss(loss, self.method) for name, loss in losses.items()}
        return name_losses(scalars), logged, {}, weight

    def _losses(self, returned: Any, context: StepContext) -> Mapping[str, Any]:
        """Return the losses in what a step returned; what it says of its examples is collected."""
        if returned is None:
            return {}
        if not isinstance(returned, Mapping):
            return {"": returned}
        if LOSS not in returned:
            refuse_loss_key(returned, self.method)
            return returned

        for name, outputs in returned.items():
            if name != LOSS:
                context.collect(name, outputs, f"{self.method} returned {name!r}")
        return {} if returned[LOSS] is None else {"": returned[LOSS]}

    def all_reduce(
        self, placement: Placement, values: Any, gradients: Gradients
    ) -> tuple[Any, Gradients, Overflows]:
        """Sum values over replicas; there are no gradients."""
        return placement.all_reduce(values), {}, {}

    def update(
        self,
        gradients: Gradients,
        ready: tf.Tensor,
        weight: tf.Tensor | None = None,
        overflows: Overflows | None = None,
    ) -> None:
        """Do nothing: evaluation moves no variable."""

    def packing(self, slots: PackedSlots) -> AbstractContextManager[None]:
        """Do nothing: evaluation has no slots."""
        return nullcontext()

    def refuse_new_rates(self) -> None:
        """Do nothing: evaluation has no optimizer."""

    def flush(self) -> None:
        """Do nothing: evaluation accumulates nothing."""

    def results(self) -> Values:
        """Return nothing besides the metrics."""
        return {}
