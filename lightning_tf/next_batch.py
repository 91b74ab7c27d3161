"""How a graph loop reads its batches: by the thread that computes with them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lightning_tf.data.pipeline_options import parallel_calls


def next_batch(iterator: Any) -> Any:
    """Read an iterator's next batch inside a graph, like its `get_next`.

    That hands every read to another thread and is woken by it, which costs 20 us a batch, a sixth
    of a tiny network's step. Here the thread that runs the graph waits for the batch itself. The
    pipeline must have threads of its own (`with_own_threads`), or the two could wait for each other.

    Args:
        iterator: Of a data set `with_own_threads`.

    Returns:
        A batch as the iterator's element_spec has it.

    Raises:
        tf.errors.OutOfRangeError: When run, at the end of the data.

    Example:
        >>> numbers = iter(with_own_threads(tf.data.Dataset.range(3)))
        >>> int(tf.function(next_batch)(numbers))
        0
    """
    specs = tf.nest.flatten(iterator.element_spec)
    if not all(isinstance(spec, tf.TensorSpec) for spec in specs) or _threads() < 2:
        return iterator.get_next()
    (handle,) = tf.nest.flatten(iterator, expand_composites=True)
    tensors = tf.raw_ops.IteratorGetNextSync(
        iterator=handle,
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.nest.pack_sequence_as(iterator.element_spec, tensors)


def with_own_threads(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same pipeline on threads that no graph uses, unless it has them already.

    Args:
        dataset: Any.

    Example:
        >>> with_own_threads(tf.data.Dataset.range(3)).options().threading.private_threadpool_size
        0
    """
    if dataset.options().threading.private_threadpool_size is not None:
        return dataset
    options = tf.data.Options()
    options.threading.private_threadpool_size = 0  # as many as there are cores
    return dataset.with_options(options)


def _threads() -> int:
    """Threads on which TensorFlow runs graphs: one is left for what a pipeline's Python calls."""
    return tf.config.threading.get_inter_op_parallelism_threads() or parallel_calls()
