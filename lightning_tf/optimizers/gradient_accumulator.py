"""GradientAccumulator: sums of gradients over the batches of one update."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.placement import Placement


class GradientAccumulator:
    """Sums of gradients, one for each variable, and how many batches they are of.

    Made in the scope of the run, with a copy of every sum on every replica.

    Args:
        placement: Whether there are replicas.

    Attributes:
        batches: How many batches are accumulated, or their weights' sum; a float32 variable.
        sums: By the `id` of the variable, as Keras' variables cannot be keys of a dict.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self.batches = tf.Variable(0.0, trainable=False)  # a float, as gradients are divided by it
        self.sums: dict[int, tf.Variable] = {}

    def build(self, variables: Sequence[Any]) -> None:
        """Make the sums of variables that have none yet; those that are frozen later stay."""
        for variable in variables:
            if id(variable) not in self.sums:
                zeros = tf.zeros(variable.shape, variable.dtype)
                self.sums[id(variable)] = tf.Variable(zeros, trainable=False)

    def variables(self, positions: dict[int, int]) -> dict[str, tf.Variable]:
        """Return the variables by their names in a checkpoint.

        Args:
            positions: Of each variable among all of its optimizer, by `id`.
        """
        sums = {f"accumulator.{positions[key]:04d}": total for key, total in self.sums.items()}
        return {"accumulated": self.batches, **sums}

    # ---- in the graph, outside the replicas

    def add(
        self,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        weight: tf.Tensor | None = None,
    ) -> None:
        """Add the gradients of one batch, times what it counts.

        Args:
            gradients: Means over the batch.
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

    def means(self, variables: Sequence[Any]) -> list[Any]:
        """Return the sums divided by the true number of batches, or by their weights."""
        return self._placement.each(  # type: ignore[no-any-return]
            lambda: [s / tf.cast(self.batches, s.dtype) for s in self._sums_of(variables)]
        )

    def reset(self, variables: Sequence[Any]) -> None:
        """Begin a new window of accumulation."""

        def reset_on_replica() -> None:
            for total in self._sums_of(variables):
                total.assign(tf.zeros_like(total))
            self.batches.assign(0.0)

        self._placement.each(reset_on_replica)

    def _sums_of(self, variables: Sequence[Any]) -> list[tf.Variable]:
        return [self.sums[id(variable)] for variable in variables]
