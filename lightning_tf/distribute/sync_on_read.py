"""SyncOnRead: a running value of which every replica has a copy, combined when it is read."""

from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.workers import Workers
from lightning_tf.keras_internals import wrapped_variable


def is_sync_on_read(variable: Any) -> bool:
    """Return whether replicas hold different values of a variable, combined when it is read."""
    value = wrapped_variable(variable)
    return (
        isinstance(value, tf.distribute.DistributedValues)
        and value.synchronization == tf.VariableSynchronization.ON_READ
    )


class SyncOnRead:
    """All replicas' values of one variable, stacked, for checkpoints.

    The combined value would not do: a run that goes on from it adds in another order and rounds
    differently, and assigning it to a summed variable divides it, integers with a remainder.

    Args:
        variable: One for which `is_sync_on_read` is true.
        workers: All whose replicas have values of it.
    """

    def __init__(self, variable: Any, workers: Workers) -> None:
        self._workers = workers
        self._value = wrapped_variable(variable)
        # This worker's replicas' variables, in their order.
        self._copies = self._value.distribute_strategy.experimental_local_results(self._value)
        self.dtype: tf.DType = self._value.dtype
        self.shape = (len(self._copies) * self._workers.count, *self._value.shape)

    def read_value(self) -> tf.Tensor:
        """Return the values of all workers' replicas, stacked; all workers must call it."""
        values = np.stack([copy.numpy() for copy in self._copies])
        return tf.constant(self._workers.all_gather_rows(values))  # (replicas, ...)

    def assign(self, values: Any) -> None:
        """Give each of this worker's replicas its value, of those of all workers."""
        first = self._workers.index * len(self._copies)
        local_values = tf.unstack(values)[first : first + len(self._copies)]
        for copy, value in zip(self._copies, local_values, strict=True):
            copy.assign(value)

    def aggregate(self, values: np.ndarray) -> np.ndarray:
        """Combine the values of another number of replicas into one."""
        return aggregate(values, self._value)

    def divide(self, whole: np.ndarray) -> np.ndarray:
        """Divide one value: the first replica goes on from it, the others from nothing."""
        if self._value.aggregation != tf.VariableAggregation.SUM:
            return np.stack([whole] * self.shape[0])  # of a mean every replica has the whole
        return np.stack([whole, *[np.zeros_like(whole)] * (self.shape[0] - 1)])


def aggregate(values: np.ndarray, variable: Any) -> np.ndarray:
    """Combine the values of all replicas (first dimension) by the variable's aggregation."""
    aggregation = str(variable.aggregation).rsplit(".", 1)[-1].lower()
    if aggregation == "sum":
        return np.asarray(values.sum(axis=0, dtype=values.dtype))
    if aggregation == "mean":
        return np.asarray(values.mean(axis=0, dtype=values.dtype))
    return np.asarray(values[0])
