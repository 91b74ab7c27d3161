"""UnsyncedStatistics: moving statistics of each replica, averaged before anybody reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.distribute.all_reduce import all_reduce
from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replica_batch import ReplicaBatch
from lightning_tf.keras_internals import flat_layers, wrapped_variable
from lightning_tf.variables import all_variables, components, optimizable_variables


class UnsyncedStatistics:
    """Variables that no optimizer moves and that every replica moves by its own examples.

    These are the moving statistics of layers that do not synchronize, such as Keras'
    BatchNormalization by default. They drift apart, and reading one gives the first replica's.
    Their mean equals the average over all examples where each replica had as many.

    Args:
        task: Whose layers are looked through; they are built by now.
        placement: Where the copies are.

    Attributes:
        variables: Those that drift apart.
        moving: All floating variables that no optimizer moves, synchronized or not.
    """

    def __init__(self, task: object, placement: Placement) -> None:
        self.placement = placement
        self.variables: list[Any] = []
        trained = {id(variable) for variable in optimizable_variables(task)}
        self.moving = [
            variable
            for variable in all_variables(task).values()
            if isinstance(variable, keras.Variable)
            and id(variable) not in trained
            and tf.as_dtype(variable.dtype).is_floating
        ]
        if not placement.copies_variables:
            return  # one copy, which every step moves by the mean over examples

        synchronized = set(_synchronized(task))
        self.variables = [v for v in self.moving if id(v) not in synchronized]

        # Traced at the first average, and once: the variables stay.
        self._average = tf.function(
            lambda: placement.each(self._average_on_replica), autograph=False
        )

    def average(self) -> None:
        """Give every replica the mean, which is exact where they are equal; not inside a step."""
        if self.variables:
            self._average()

    @contextmanager
    def keep_where_idle(self, replica_batch: ReplicaBatch | None) -> Iterator[None]:
        """Leave the statistics as they are on a replica without examples."""
        if replica_batch is None or not replica_batch.may_be_idle:
            yield
            return

        # Put back, not skipped: a branch around the layers of a whole step would cost more.
        before = [tf.identity(wrapped_variable(variable)) for variable in self.variables]
        yield
        for variable, old in zip(self.variables, before, strict=True):
            wrapped_variable(variable).assign(
                tf.where(replica_batch.is_real, wrapped_variable(variable), old)
            )

    def values(self) -> list[tf.Tensor]:
        """Return what `moving` hold, on a replica and before a step moves them."""
        return [tf.identity(wrapped_variable(variable)) for variable in self.moving]

    def put_back_where_skipped(
        self, before: list[tf.Tensor], own: tf.Tensor, total: tf.Tensor
    ) -> None:
        """Put back what a step has moved by examples that count nothing.

        Args:
            before: What `values` gave.
            own: What the replica's examples count; decides about statistics of its own.
            total: What the batch counts; decides about those that are equal on all replicas.
        """
        drifting = {id(variable) for variable in self.variables}
        for variable, old in zip(self.moving, before, strict=True):
            counts = own if id(variable) in drifting else total
            value = wrapped_variable(variable)
            value.assign(tf.where(counts > 0.0, tf.convert_to_tensor(value), old))

    def _average_on_replica(self) -> None:
        replica = tf.distribute.get_replica_context()
        is_first = tf.equal(replica.replica_id_in_sync_group, 0)
        values = [tf.identity(wrapped_variable(variable)) for variable in self.variables]

        # Differences from the first replica's: equal values stay what they are to the last bit.
        first = all_reduce([tf.where(is_first, value, tf.zeros_like(value)) for value in values])
        differences = all_reduce([value - base for value, base in zip(values, first, strict=True)])

        for variable, base, difference in zip(self.variables, first, differences, strict=True):
            count = tf.cast(self.placement.num_replicas, base.dtype)
            wrapped_variable(variable).assign(base + difference / count)


def _synchronized(task: object) -> Iterator[int]:
    for _, component in components(task):
        if isinstance(component, keras.Layer):
            for layer in flat_layers(component):
                if getattr(layer, "synchronized", False):
                    yield from (id(variable) for variable in layer.variables)
