"""Custom strategies: classes that TensorFlow does not have."""

from __future__ import annotations

import tensorflow as tf

# The base of a custom strategy; TensorFlow has no public name for it.
from tensorflow.python.distribute.mirrored_strategy import MirroredExtended


def cpus(count):
    """Return the names of logical CPUs."""
    return [f"CPU:{number}" for number in range(count)]


class OwnMirrored(tf.distribute.MirroredStrategy):
    """A subclass of one of TensorFlow's strategies."""

    def __init__(self, count):
        super().__init__(cpus(count), tf.distribute.ReductionToOneDevice())


class ThirdParty(tf.distribute.Strategy):
    """A strategy outside of TensorFlow's classes; its replicas train in step."""

    extended_kind = MirroredExtended
    _collective_key_base = 0  # MirroredExtended reads it

    def __init__(self, count):
        options = {"devices": cpus(count), "cross_device_ops": tf.distribute.ReductionToOneDevice()}
        super().__init__(self.extended_kind(self, **options))


class _NeverSums(MirroredExtended):
    """Reductions that leave each replica its own value."""

    def _batch_reduce_to(self, reduce_op, value_destination_pairs, options):
        return [value for value, _ in value_destination_pairs]


class OutOfStep(ThirdParty):
    """A strategy whose replicas do not sum, as in an asynchronous one."""

    extended_kind = _NeverSums


class _HandsOutNothing(MirroredExtended):
    def _experimental_distribute_values_from_function(self, value_fn):
        raise NotImplementedError("this strategy hands out no values")


class HandsOutNothing(ThirdParty):
    """A strategy that cannot give each replica its own value."""

    extended_kind = _HandsOutNothing
