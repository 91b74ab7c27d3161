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
        self._inputs = _Table(inputs)
        self._examples = self._inputs if targets is None else _Table((inputs, targets))

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Batches of these examples in this order; the last one may be smaller."""
        return self._examples.batches(indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """The same batches without targets."""
        return self._inputs.batches(indices, batch_size)


class _Table:
    def __init__(self, arrays: Any) -> None:
        with tf.device("CPU:0"):
            self._arrays = tf.nest.map_structure(tf.convert_to_tensor, arrays)
            # Two empty pieces of unlike size leave the batch dimension open, as in any batched
            # dataset: a step is traced once, whatever part of an epoch a resumed run has to do.
            none, one = (tf.data.Dataset.from_tensors(self._gather([0] * n)) for n in (0, 1))
            self._nothing = none.concatenate(one).take(0)
        leaves = tf.nest.flatten(self._arrays)
        self._example_bytes = sum(x.dtype.size * int(np.prod(x.shape[1:])) for x in leaves)

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        block = max(1, BLOCK_BYTES // max(1, self._example_bytes * batch_size)) * batch_size
        blocks_end = len(indices) // block * block
        whole_end = len(indices) // batch_size * batch_size
        pieces = [self._nothing]
        with tf.device("CPU:0"):
            if blocks_end:
                pieces.append(
                    tf.data.Dataset.from_tensor_slices(
                        indices[:blocks_end].reshape(-1, block // batch_size, batch_size)
                    )
                    .map(tf.autograph.experimental.do_not_convert(self._gather))  # saves 3 ms
                    .prefetch(1)
                    .unbatch()
                )
            # The rest is less than a block: gathered now, it needs no traced function, whose 15 ms
            # would be most of a small data set's epoch.
            if whole_end > blocks_end:
                rest = self._gather(indices[blocks_end:whole_end].reshape(-1, batch_size))
                pieces.append(tf.data.Dataset.from_tensor_slices(rest))
            if len(indices) > whole_end:
                pieces.append(tf.data.Dataset.from_tensors(self._gather(indices[whole_end:])))
        options = tf.data.Options()
        options.autotune.enabled = False  # nothing to tune; its bookkeeping costs 10 us a batch
        options.experimental_optimization.apply_default_optimizations = False
        return reduce(tf.data.Dataset.concatenate, pieces).with_options(options)

    def _gather(self, indices: Any) -> Any:
        indices = tf.convert_to_tensor(indices, tf.int64)
        return tf.nest.map_structure(lambda array: tf.gather(array, indices), self._arrays)
