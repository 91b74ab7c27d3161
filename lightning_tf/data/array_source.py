"""ArraySource: examples that lie in memory."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.order import Indices

# Gathered at once. Many small batches then cost one gather and one slice each; memory beside the
# arrays stays at about three blocks.
BLOCK_BYTES = 8 * 2**20


class ArraySource:
    """Arrays with a common first dimension, read by index.

    Examples are gathered in blocks of many batches, and a batch is a slice of a block: about 30 us
    for a batch of 32 x 32 floats, a third of what a gather for each batch costs.

    Args:
        inputs: An array of shape (examples, ...), or a nest of such arrays.
        targets: The same, or None: then an element is the inputs alone instead of a pair.
    """

    def __init__(self, inputs: Any, targets: Any = None) -> None:
        """Take the arrays into host memory, where the input pipeline runs."""
        with tf.device("CPU:0"):
            self._inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
            self._targets = (
                None if targets is None else tf.nest.map_structure(tf.convert_to_tensor, targets)
            )

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Batches of these examples in this order; the last one may be smaller."""
        pair = self._inputs if self._targets is None else (self._inputs, self._targets)
        return _batches(pair, indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """The same batches without targets."""
        return _batches(self._inputs, indices, batch_size)


def _batches(arrays: Any, indices: Indices, batch_size: int) -> tf.data.Dataset:
    def gather(wanted: Any) -> Any:
        return tf.nest.map_structure(
            lambda array: tf.gather(array, tf.cast(wanted, tf.int64)), arrays
        )

    leaves = tf.nest.flatten(arrays)
    example_bytes = sum(leaf.dtype.size * int(np.prod(leaf.shape[1:])) for leaf in leaves)
    block = max(1, BLOCK_BYTES // max(1, example_bytes * batch_size)) * batch_size
    blocks_end = len(indices) // block * block
    whole_end = len(indices) // batch_size * batch_size
    with tf.device("CPU:0"):
        # Two empty pieces of unlike size leave the batch dimension open, as in any batched dataset:
        # the step is traced once, whatever part of an epoch a resumed run still has to do.
        none, one = (tf.data.Dataset.from_tensors(gather([0] * size)) for size in (0, 1))
        pieces = [none.concatenate(one).take(0)]
    if blocks_end:
        blocks = indices[:blocks_end].reshape(-1, block // batch_size, batch_size)
        lazily = tf.autograph.experimental.do_not_convert(gather)  # conversion costs 3 ms an epoch
        pieces.append(tf.data.Dataset.from_tensor_slices(blocks).map(lazily).prefetch(1).unbatch())
    with tf.device("CPU:0"):
        # The rest is less than a block: gathered now, it needs no traced function, whose 15 ms
        # would be most of a small data set's epoch.
        if whole_end > blocks_end:
            rest = indices[blocks_end:whole_end].reshape(-1, batch_size)
            pieces.append(tf.data.Dataset.from_tensor_slices(gather(rest)))
        if len(indices) > whole_end:
            pieces.append(tf.data.Dataset.from_tensors(gather(indices[whole_end:])))
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune; its bookkeeping costs 10 us a batch
    options.experimental_optimization.apply_default_optimizations = False
    return reduce(tf.data.Dataset.concatenate, pieces).with_options(options)
