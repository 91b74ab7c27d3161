"""GradientAccumulator: sums of gradients over the batches of one update."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.sync_on_read import replica_values

SUM = "accumulator."  # how the names of the sums begin in a checkpoint


class GradientAccumulator:
    """Sums of gradients, one for each variable, and how many batches they are of.

    Made in the scope of the run. Where replicas have copies of the variables, each adds up its own
    batches, and the sums travel once an update instead of once a batch.

    Args:
        placement: Whether there are replicas.

    Attributes:
        sums_of_replicas: Whether each replica has sums of its own.
        batches: How many batches are accumulated, or their weights' sum; a float32 variable.
        sums: By the `id` of the variable, as Keras' variables cannot be keys of a dict.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self.sums_of_replicas = placement.copies_variables
        self.batches = tf.Variable(0.0, trainable=False)  # a float, as gradients are divided by it
        self.sums: dict[int, tf.Variable] = {}

    def build(self, variables: Sequence[Any]) -> None:
        """Make the sums of variables that have none yet; those that are frozen later stay."""
        for variable in variables:
            if id(variable) not in self.sums:
                zeros = tf.zeros(variable.shape, variable.dtype)
                self.sums[id(variable)] = tf.Variable(
                    zeros,
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.SUM,
                )

    def variables(self, positions: dict[int, int]) -> dict[str, Any]:
        """Return the variables by their names in a checkpoint.

        Args:
            positions: Of each variable among all of its optimizer, by `id`.
        """
        sums = self._named_sums(positions)
        return {"accumulated": self.batches, **replica_values(sums, self._placement.workers)}

    def initial(self, positions: dict[int, int]) -> dict[str, Any]:
        """Return the values that they begin with, by the same names; of all replicas together."""
        zeros = {name: np.zeros(s.shape) for name, s in self._named_sums(positions).items()}
        return {"accumulated": 0.0, **zeros}

    def _named_sums(self, positions: dict[int, int]) -> dict[str, tf.Variable]:
        return {f"{SUM}{positions[key]:04d}": total for key, total in self.sums.items()}

    # ---- in the graph, outside the replicas

    def add(
        self,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        weight: tf.Tensor | None = None,
    ) -> None:
        """Add the gradients of one batch, times what it counts.

        Args:
            gradients: Means over the batch, or each replica's part of them.
            variables: Whose they are.
            weight: None is 1.
        """

        def add_on_replica(gradients: Sequence[tf.Tensor]) -> None:
            for gradient, total in zip(gradients, self._sums_of(variables), strict=True):
                if weight is not None:
                    gradient = tf.cast(gradient, total.dtype) * tf.cast(weight, total.dtype)
                total.assign_add(gradient)
            self.batches.assign_add(1.0 if weight is None else weight)

        self._placement.each(add_on_replica, gradients)

    def means(self, variables: Sequence[Any], scale: Any = None) -> list[Any]:
        """Return the sums divided by the true number of batches, or by their weights.

        Args:
            variables: Whose gradients they are.
            scale: By which they are multiplied on their way between replicas: what is small would
                be lost in float16.
        """

        def mean_on_replica() -> list[Any]:
            means = [s / tf.cast(self.batches, s.dtype) for s in self._sums_of(variables)]
            if not self.sums_of_replicas:
                return means
            if scale is not None:
                means = [mean * tf.cast(scale, mean.dtype) for mean in means]
            _, means = self._placement.all_reduce_gradients((), means)
            return means if scale is None else [m / tf.cast(scale, m.dtype) for m in means]

        return self._placement.each(mean_on_replica)  # type: ignore[no-any-return]

    def reset(self, variables: Sequence[Any]) -> None:
        """Begin a new window of accumulation."""

        def reset_on_replica() -> None:
            for total in self._sums_of(variables):
                total.assign(tf.zeros_like(total))
            self.batches.assign(0.0)

        self._placement.each(reset_on_replica)

    def _sums_of(self, variables: Sequence[Any]) -> list[tf.Variable]:
        return [self.sums[id(variable)] for variable in variables]
