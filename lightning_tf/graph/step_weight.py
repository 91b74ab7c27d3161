"""StepWeight: what a batch counts, where a step returns a weight beside its loss."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.graph.losses import LOSS
from lightning_tf.step_context import scalar_tensor

WEIGHT = "weight"  # its key beside the losses


class WeightFoundLate(Exception):
    """A step returns a weight, and was traced without a copy of the statistics that it moves."""


@dataclass(frozen=True)
class StepWeight:
    """What a batch counts, instead of its examples.

    Attributes:
        own: Of what this replica computed with; on one device the whole.
        total: Of the batch; 0 skips it.
    """

    own: tf.Tensor
    total: tf.Tensor

    @classmethod
    def of(
        cls, value: Any, where: str, placement: Placement | None, replica_batch: ReplicaBatch | None
    ) -> StepWeight:
        """Take what a step returned; on replicas each has the weight of its own examples.

        Args:
            value: A scalar; a boolean counts as 0 or 1.
            where: The step's name, for messages.
            placement: Adds weights up; without one `total` is this replica's.
            replica_batch: The replica's own.

        Raises:
            ConfigurationError: It is no scalar.
        """
        wanted = "a scalar of at least 0, such as the number of tokens: tf.reduce_sum(mask)"
        own = tf.stop_gradient(scalar_tensor(value, f"{where} returned the weight", wanted))
        # A graph cannot raise everywhere: NaN shows in the loss, and such a batch moves nothing.
        own = tf.where(own >= 0.0, own, float("nan"))
        if replica_batch is not None and replica_batch.may_be_idle:
            own = tf.where(replica_batch.is_real, own, 0.0)
        return cls(own, own if placement is None else placement.all_reduce(own))

    @property
    def counts(self) -> tf.Tensor:
        """Return whether anything in the batch counts, a boolean scalar."""
        return self.total > 0.0

    def share(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss times this replica's share, so that losses add up to the mean."""
        return tf.math.multiply_no_nan(loss, tf.math.divide_no_nan(self.own, self.total))

    def without_skipped(self, gradients: list[Any]) -> list[Any]:
        """Return a replica's gradients, zeros for what is not finite where nothing of it counts.

        Finite parts stay: by statistics of all replicas other losses depend on its examples.
        """

        def clean(gradient: Any) -> Any:
            is_good = tf.logical_or(self.own > 0.0, tf.math.is_finite(gradient))
            return tf.where(is_good, gradient, tf.zeros_like(gradient))

        return [None if gradient is None else clean(gradient) for gradient in gradients]


def split_weight(returned: Any, optimizers: Collection[str]) -> tuple[Any, Any]:
    """Split what a step returned into its losses and the weight beside them, None without one.

    Args:
        returned: ``{"loss": loss, "weight": weight}``, or losses by the optimizers' names and a
            weight; anything else comes back as it is.
        optimizers: The names; one that is called ``weight`` has its loss there.
    """
    if not isinstance(returned, Mapping) or WEIGHT not in returned or WEIGHT in optimizers:
        return returned, None

    losses = {name: loss for name, loss in returned.items() if name != WEIGHT}
    if [*losses] == [LOSS] and LOSS not in optimizers:
        return losses[LOSS], returned[WEIGHT]
    return losses, returned[WEIGHT]


def is_scalar(value: Any) -> bool:
    """Return whether a value is one number or boolean, of Python or of a graph."""
    return isinstance(value, (bool, int, float)) or (
        hasattr(value, "shape") and len(value.shape) == 0
    )
