"""Sums and means along axes whose gradients wait for nothing on a GPU.

TensorFlow's gradient of a sum along some axes of a batch computes a shape on the device and reads
it back, unless the axes are kept. The numbers are the same.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def reduce_sum(values: Any, axis: int | Sequence[int]) -> tf.Tensor:
    """Return `tf.reduce_sum(values, axis)`.

    Args:
        values: A tensor.
        axis: One or several.
    """
    return tf.squeeze(tf.reduce_sum(values, axis, keepdims=True), axis)


def reduce_mean(values: Any, axis: int | Sequence[int]) -> tf.Tensor:
    """Return `tf.reduce_mean(values, axis)`.

    Args:
        values: A tensor.
        axis: One or several.
    """
    return tf.squeeze(tf.reduce_mean(values, axis, keepdims=True), axis)
