"""SyncOnRead: a running value of which every replica has a copy, combined when it is read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.distribute.workers import Workers
from lightning_tf.keras_internals import wrapped_variable

PARTS = ".replicas"  # ends the name of a tensor that holds one part for each replica


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

    Attributes:
        copies: The variables of this worker's replicas.
    """

    def __init__(self, variable: Any, workers: Workers) -> None:
        self._workers = workers
        self._value = wrapped_variable(variable)
        # This worker's replicas' variables, in their order.
        self.copies = self._value.distribute_strategy.experimental_local_results(self._value)
        self.dtype: tf.DType = self._value.dtype
        self.shape = (len(self.copies) * self._workers.count, *self._value.shape)

    def read_value(self) -> tf.Tensor:
        """Return the values of all workers' replicas, stacked; all workers must call it."""
        values = np.stack([copy.numpy() for copy in self.copies])
        return tf.constant(self._workers.all_gather_rows(values))  # (replicas, ...)

    def assign(self, values: Any) -> None:
        """Give each of this worker's replicas its value, of those of all workers."""
        first = self._workers.index * len(self.copies)
        local_values = tf.unstack(values)[first : first + len(self.copies)]
        for copy, value in zip(self.copies, local_values, strict=True):
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


def metric_state(metrics: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Return every variable of metrics by a stable name; sync-on-read ones part by part."""
    variables = {
        f"{name}.{index:04d}": variable
        for name, metric in metrics.items()
        for index, variable in enumerate(metric.variables)
    }
    return replica_values(variables, workers)


def replica_values(variables: Mapping[str, Any], workers: Workers) -> dict[str, Any]:
    """Return variables by name; those that replicas have values of their own of as `SyncOnRead`."""
    return {
        f"{name}{PARTS}" if is_sync_on_read(variable) else name: (
            SyncOnRead(variable, workers) if is_sync_on_read(variable) else variable
        )
        for name, variable in variables.items()
    }


def adapt_tensors(
    variables: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return saved tensors as these variables need them, whatever the number of replicas was.

    Args:
        variables: By name; those of `metric_state` among them.
        tensors: By name, of a checkpoint.
    """
    adapted = dict(tensors)
    for name, variable in variables.items():
        whole = name.removesuffix(PARTS)
        parts = tensors.get(f"{whole}{PARTS}")  # (replicas, *shape)

        if isinstance(variable, SyncOnRead):
            if parts is None or parts.shape[0] != variable.shape[0]:
                saved = tensors.get(whole) if parts is None else variable.aggregate(parts)
                if saved is not None:
                    adapted[name] = variable.divide(saved)
        elif parts is not None:
            adapted[whole] = aggregate(parts, variable)
    return adapted
