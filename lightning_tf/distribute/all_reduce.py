"""all_reduce: the sum over replicas of what each has, in as few calls as can be."""

from typing import Any

import tensorflow as tf


def all_reduce(values: Any, options: Any = None) -> Any:
    """Sum a nest of tensors over all replicas; called on each of them. None in it stays.

    Every sum of a step is made here: values with gradients, gradients of `Task.minimize`,
    statistics and what central variables move by.

    Args:
        values: Tensors; those that come first are sent first.
        options: ``tf.distribute.experimental.CommunicationOptions``; None sends one array.
    """
    flat = tf.nest.flatten(values)
    sums = list(flat)
    replica = tf.distribute.get_replica_context()

    # One call for each dtype, most often one in all: workers and GPUs sum what a call gives them
    # as one array, which fails where dtypes differ.
    for dtype in dict.fromkeys(value.dtype for value in flat if value is not None):
        places = [i for i, value in enumerate(flat) if value is not None and value.dtype == dtype]
        places.reverse()  # TensorFlow's collectives send the last tensor of a call first
        sent = [flat[i] for i in places]
        reduced = replica.all_reduce(tf.distribute.ReduceOp.SUM, sent, options=options)
        for i, total in zip(places, reduced, strict=True):
            sums[i] = total

    return tf.nest.pack_sequence_as(values, sums)
