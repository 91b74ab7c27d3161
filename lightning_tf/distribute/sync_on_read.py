"""SyncOnRead: a running value that every replica adds up by itself, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.workers import Workers
from lightning_tf.variables import tensorflow_variable


def is_sync_on_read(variable: Any) -> bool:
    """Whether replicas hold different parts of a variable, which is put together on reading."""
    value = tensorflow_variable(variable)
    return (
        isinstance(value, tf.distribute.DistributedValues)
        and value.synchronization == tf.VariableSynchronization.ON_READ
    )


class SyncOnRead:
    """All replicas' parts of one variable, stacked, for checkpoints.

    The whole would not do: a run that goes on from it adds in another order and rounds otherwise,
    and assigning a whole to a summed variable divides it, integers with a remainder.

    Args:
        variable: One for which `is_sync_on_read` is true.
        workers: All that hold parts of it.
    """

    def __init__(self, variable: Any, workers: Workers) -> None:
        self._workers = workers
        self._value = tensorflow_variable(variable)
        # The single variables, in the order of the replicas.
        self._parts = self._value.distribute_strategy.experimental_local_results(self._value)
        self.dtype: tf.DType = self._value.dtype
        self.shape = (len(self._parts) * self._workers.count, *self._value.shape)

    def read_value(self) -> tf.Tensor:
        """The parts, first dimension the replicas; of several workers all must call it."""
        return tf.constant(
            self._workers.all_gather_rows(np.stack([part.numpy() for part in self._parts]))
        )

    def assign(self, parts: Any) -> None:
        """Give each replica its part, of those of all workers."""
        first = self._workers.index * len(self._parts)
        own = tf.unstack(parts)[first : first + len(self._parts)]
        for variable, part in zip(self._parts, own, strict=True):
            variable.assign(part)

    def aggregated(self, parts: np.ndarray) -> np.ndarray:
        """Parts of another number of replicas as one whole."""
        return aggregated(parts, self._value)

    def divided(self, whole: np.ndarray) -> np.ndarray:
        """A whole as parts: the first replica goes on from it, the others from nothing."""
        if self._value.aggregation != tf.VariableAggregation.SUM:
            return np.stack([whole] * self.shape[0])
        return np.stack([whole, *[np.zeros_like(whole)] * (self.shape[0] - 1)])


def aggregated(parts: np.ndarray, variable: Any) -> np.ndarray:
    """The parts of all replicas as one whole, as the variable's aggregation puts them together."""
    aggregation = str(variable.aggregation).rsplit(".", 1)[-1].lower()
    if aggregation == "sum":
        return np.asarray(parts.sum(axis=0, dtype=parts.dtype))
    if aggregation == "mean":
        return np.asarray(parts.mean(axis=0, dtype=parts.dtype))
    return np.asarray(parts[0])
