"""The sum over replicas of what each has, in as few calls as can be."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def all_reduce(values: Any) -> Any:
    """On a replica: the sums over all replicas of a nest of tensors; None stays.

    One call for each dtype, most often one in all: workers and GPUs sum what a call gives them as
    one array, which fails where dtypes differ.
    """
    flat = tf.nest.flatten(values)
    sums = list(flat)
    replica = tf.distribute.get_replica_context()
    for dtype in dict.fromkeys(value.dtype for value in flat if value is not None):
        places = [i for i, value in enumerate(flat) if value is not None and value.dtype == dtype]
        parts = replica.all_reduce(tf.distribute.ReduceOp.SUM, [flat[i] for i in places])
        for i, part in zip(places, parts, strict=True):
            sums[i] = part
    return tf.nest.pack_sequence_as(values, sums)
