"""GatheredBatches: batches of examples that a function gathers by index."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.pipeline.options import untuned_options
from lightning_tf.data.pipeline.order import Indices

# Gathered at once. Many small batches then cost one gather and one slice each; memory beside the
# arrays stays at about three blocks.
BLOCK_BYTES = 8 * 2**20


class GatheredBatches:
    """Batches in any order of examples that lie in memory.

    Examples are gathered in blocks of many batches, and a batch is a slice of a block: about 30 us
    for a batch of 32 x 32 floats, a third of what a gather for each batch costs.

    Args:
        gather: From int64 indices of any shape to a nest of tensors, whose first dimensions are
            those of the indices.
        valid_index: An index that `gather` takes, to try it on.

    Example:
        >>> squares = GatheredBatches(lambda indices: indices**2)
        >>> [x.tolist() for x in squares.batches(np.arange(5), 2).as_numpy_iterator()]
        [[0, 1], [4, 9], [16]]
    """

    def __init__(self, gather: Callable[[tf.Tensor], Any], valid_index: int = 0) -> None:
        """Try the function on no example and on one."""
        self._function = gather
        with tf.device("CPU:0"):
            # Two empty pieces of unlike size leave the batch dimension open, as in any batched
            # dataset: a step is traced once, whatever part of an epoch a resumed run has to do.
            pieces = [self._gather(np.full(n, valid_index)) for n in (0, 1)]
            none, one = (tf.data.Dataset.from_tensors(piece) for piece in pieces)
            self._nothing = none.concatenate(one).take(0)

        leaves = [leaf for leaf in tf.nest.flatten(pieces[0]) if leaf is not None]
        self._example_bytes = sum(x.dtype.size * int(np.prod(x.shape[1:])) for x in leaves)

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these examples in this order; the last one may be smaller."""
        block = max(1, BLOCK_BYTES // max(1, self._example_bytes * batch_size)) * batch_size
        blocks_end = len(indices) // block * block
        whole_end = len(indices) // batch_size * batch_size

        pieces = [self._nothing]
        with tf.device("CPU:0"):
            if blocks_end:
                pieces.append(
                    tf.data.Dataset.from_tensor_slices(  # (blocks, batches of a block, batch_size)
                        indices[:blocks_end].reshape(-1, block // batch_size, batch_size)
                    )
                    .map(tf.autograph.experimental.do_not_convert(self._gather))  # saves 3 ms
                    .prefetch(1)
                    .apply(self._unbatched)
                )

            # The rest is less than a block: gathered now, it needs no traced function, whose 15 ms
            # would be most of a small data set's epoch.
            if whole_end > blocks_end:
                rest = self._gather(indices[blocks_end:whole_end].reshape(-1, batch_size))
                pieces.append(tf.data.Dataset.from_tensor_slices(rest))

            if len(indices) > whole_end:
                pieces.append(tf.data.Dataset.from_tensors(self._gather(indices[whole_end:])))

        # There is nothing to tune, and the tuner's bookkeeping costs 10 us a batch.
        options = untuned_options()
        options.experimental_optimization.apply_default_optimizations = False
        return reduce(tf.data.Dataset.concatenate, pieces).with_options(options)

    def _gather(self, indices: Any) -> Any:
        return self._function(tf.convert_to_tensor(indices, tf.int64))

    def _unbatched(self, blocks: tf.data.Dataset) -> tf.data.Dataset:
        specs = tf.nest.flatten(blocks.element_spec)
        if all(0 not in spec.shape for spec in specs if hasattr(spec, "shape")):
            return blocks.unbatch()
        # TensorFlow's unbatch crashes where an example is an empty tensor; this is slower.
        return blocks.flat_map(tf.autograph.experimental.do_not_convert(_slices))


def _slices(*block: Any) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(block if len(block) > 1 else block[0])
