"""CombinedBatch: the batches of several data sets, which a training step gets together."""

import math
from typing import Any

import tensorflow as tf


class CombinedBatch(dict[Any, Any]):
    """A batch of each of several data sets, by name, or by place in a list.

    Replicas cut it into units: with 8 examples of one set and 4 of another there are 4, each of two
    examples and one. So every replica has the same share of every set, and the mean over a
    replica's examples counts for the same share of the mean over all, whichever set it is of.

    Example:
        >>> batch = CombinedBatch(labeled=tf.range(8), unlabeled=tf.range(4))
        >>> int(common_units([8, 4]))
        4
    """

    def as_given(self) -> Any:
        """Return what the user's step gets: a dict, or of a list of data sets a list."""
        return list(self.values()) if all(isinstance(name, int) for name in self) else dict(self)


def step_batch(batch: Any) -> Any:
    """Return a batch as a step gets it."""
    return batch.as_given() if isinstance(batch, CombinedBatch) else batch


def common_units(counts: list[Any]) -> Any:
    """Return the greatest common divisor, an int where all counts are, else an int32 tensor."""
    if all(isinstance(count, int) for count in counts):
        return math.gcd(*counts)
    units = tf.zeros([], tf.int32)
    for count in counts:
        _, units = tf.while_loop(
            lambda rest, _: rest > 0,
            lambda rest, divisor: (divisor % rest, rest),
            (tf.cast(count, tf.int32), units),
        )
    return units
