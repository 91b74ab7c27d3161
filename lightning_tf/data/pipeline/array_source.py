"""ArraySource: examples that lie in memory."""

from typing import Any

import tensorflow as tf

from lightning_tf.data.pipeline.gathered_batches import GatheredBatches
from lightning_tf.data.pipeline.order import Indices


class ArraySource:
    """Arrays with a common first dimension, read by index.

    Args:
        inputs: An array of shape (examples, ...), or a nest of such arrays; None stays.
        targets: The same, or None: then an element is the inputs alone instead of a pair.

    Attributes:
        arrays: The inputs, or the pair, as tensors in host memory.
    """

    def __init__(self, inputs: Any, targets: Any = None) -> None:
        """Take the arrays into host memory, where the input pipeline runs."""
        with tf.device("CPU:0"):
            # Once: what gives inputs alone reads the same memory.
            inputs, targets = tf.nest.map_structure(
                lambda array: None if array is None else tf.convert_to_tensor(array),
                (inputs, targets),
            )
        self.arrays = inputs if targets is None else (inputs, targets)
        self._inputs = _gather_from(inputs)
        self._examples = self._inputs if targets is None else _gather_from(self.arrays)

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these examples in this order; the last one may be smaller."""
        return self._examples.batches(indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without targets."""
        return self._inputs.batches(indices, batch_size)


def _gather_from(arrays: Any) -> GatheredBatches:
    return GatheredBatches(
        lambda indices: tf.nest.map_structure(
            lambda array: None if array is None else tf.gather(array, indices), arrays
        )
    )
