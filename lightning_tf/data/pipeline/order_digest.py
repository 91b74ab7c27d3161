"""A digest of the order in which a pipeline gives its examples."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.tensorflow_internals import pipeline_tensors

SAMPLE = 256  # values of a tensor, evenly spread: a permutation that differs differs in them
SAME_EVERYWHERE = (tf.bool, tf.int32, tf.int64)  # floats may depend on the machine in a last bit


def order_digest(dataset: tf.data.Dataset) -> str:
    """Return a digest of a pipeline's sizes, seeds, indices and labels, without reading from it.

    Two pipelines of one digest give the same examples in the same order as far as can be told from
    the steps that they are made of: the code of their functions, floats and decoded images are not
    compared, paths by the file's name alone.

    Example:
        >>> numbers = tf.data.Dataset.range(8)
        >>> order_digest(numbers.shuffle(8, seed=1)) == order_digest(numbers.shuffle(8, seed=2))
        False
    """
    digest = hashlib.sha256()
    for place, tensor in pipeline_tensors(dataset):
        digest.update(f"{place} {tensor.dtype.name} {tensor.shape}".encode())
        digest.update(_sample(tensor))
    return digest.hexdigest()[:12]


def _sample(tensor: Any) -> bytes:
    if tensor.dtype not in (*SAME_EVERYWHERE, tf.string) or tensor.shape.num_elements() == 0:
        return b""

    flat = tf.reshape(tensor, [-1])
    values = flat[:: -(-flat.shape[0] // SAMPLE)].numpy()  # cut first: the rest is not copied
    if tensor.dtype == tf.string:  # a folder may have moved
        return b"\0".join(value.rpartition(b"/")[2] for value in values)
    return bytes(np.ascontiguousarray(values).data)
