"""InputShard: the examples of every global batch that one worker's replicas compute with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.distribute.replica_batch import example_count, part_of, rows_of

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class InputShard:
    """Which of all replicas are a worker's own, and so which rows of a batch it reads.

    A worker's pipeline gives pairs: its own rows of each global batch, and how many examples the
    whole batch holds. A worker that a batch leaves without rows gets the batch's last one, which
    nothing may count.

    Attributes:
        first: The number of its first replica.
        own: How many replicas it has.
        replicas: How many all workers have.

    Example:
        >>> InputShard(first=1, own=1, replicas=2).rows(7)
        (4, 3)
    """

    first: int
    own: int
    replicas: int

    def rows(self, count: Any) -> tuple[Any, Any]:
        """Where the worker's rows of a batch of `count` examples begin, and how many they are.

        Args:
            count: Integer, or an integer tensor.
        """
        _, start = part_of(count, self.first, self.replicas)
        before_next, end = part_of(count, self.first + self.own - 1, self.replicas)
        size = end + before_next - start
        if isinstance(count, int):
            return (start, size) if size else (max(count - 1, 0), min(count, 1))
        is_empty = tf.equal(size, 0)
        return (
            tf.where(is_empty, tf.maximum(count - 1, 0), start),
            tf.where(is_empty, tf.minimum(count, 1), size),
        )

    def cut(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The worker's rows of every batch of any pipeline, which it reads whole."""
        is_tuple = isinstance(dataset.element_spec, tuple)

        def own_rows(*batch: Any) -> tuple[Any, tf.Tensor]:
            whole = batch if is_tuple else batch[0]
            count = tf.convert_to_tensor(example_count(whole))
            start, size = self.rows(count)
            return rows_of(whole, count, start, size), tf.cast(count, tf.int64)

        # By its own thread: rows are sliced while a step runs.
        return dataset.map(own_rows, num_parallel_calls=1, deterministic=True).prefetch(2)

    def batches(
        self,
        make: Callable[[Indices, int], tf.data.Dataset],
        indices: Indices,
        batch_size: int,
    ) -> tf.data.Dataset:
        """The worker's rows of batches that are asked for by index: it reads no others.

        Args:
            make: Batches of these examples; the last one may be smaller.
            indices: Of all examples, in the order of the epoch.
            batch_size: Of a global batch.
        """
        whole, rest = divmod(len(indices), batch_size)
        start, size = self.rows(batch_size)
        own = indices[: whole * batch_size].reshape(whole, batch_size)[:, start : start + size]
        counts = [batch_size] * whole
        pieces = [own.reshape(-1)]
        if rest:
            # Never more than of a whole batch, so that it is a last, smaller batch.
            start, last = self.rows(rest)
            pieces.append(indices[whole * batch_size :][start : start + last])
            counts.append(rest)
        numbers = tf.data.Dataset.from_tensor_slices(np.array(counts, np.int64))
        return tf.data.Dataset.zip(make(np.concatenate(pieces), size), numbers)
