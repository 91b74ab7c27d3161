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
    """

    def __init__(self, inputs: Any, targets: Any = None) -> None:
        """Take the arrays into host memory, where the input pipeline runs."""
        # One tensor of the inputs for both, which may take most of the memory.
        inputs = _tensors_of(inputs)
        self._inputs = _gather_from(inputs)
        paired = targets is not None
        self._examples = _gather_from((inputs, _tensors_of(targets))) if paired else self._inputs

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these examples in this order; the last one may be smaller."""
        return self._examples.batches(indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without targets."""
        return self._inputs.batches(indices, batch_size)


def _tensors_of(arrays: Any) -> Any:
    with tf.device("CPU:0"):
        return tf.nest.map_structure(
            lambda array: None if array is None else tf.convert_to_tensor(array), arrays
        )


def _gather_from(arrays: Any) -> GatheredBatches:
    return GatheredBatches(
        lambda indices: tf.nest.map_structure(
            lambda array: None if array is None else tf.gather(array, indices), arrays
        )
    )
