"""InputShard: the examples of every global batch that one worker's replicas compute with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.distribute.replica_batch import count_units, shard_size_and_start, slice_units

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class InputShard:
    """Which of all replicas a worker has, and so which rows of a batch it reads.

    A worker's pipeline gives pairs: its rows of each global batch, and how many examples the whole
    batch holds. A worker that a batch leaves without rows gets the batch's last one, which nothing
    may count.

    Attributes:
        first_replica: The number of the worker's first replica.
        local_replicas: How many replicas it has.
        num_replicas: How many all workers have.

    Example:
        >>> InputShard(first_replica=1, local_replicas=1, num_replicas=2).rows(7)
        (4, 3)
    """

    first_replica: int
    local_replicas: int
    num_replicas: int

    def rows(self, count: Any) -> tuple[Any, Any]:
        """Return where the worker's rows of a batch of `count` examples begin, and their number.

        Args:
            count: Integer, or an integer tensor.
        """
        last_replica = self.first_replica + self.local_replicas - 1
        _, start = shard_size_and_start(count, self.first_replica, self.num_replicas)
        last_size, last_start = shard_size_and_start(count, last_replica, self.num_replicas)
        size = last_start + last_size - start

        # Without rows: the batch's last one, so that its replicas have something to compute with.
        if isinstance(count, int):
            return (start, size) if size else (max(count - 1, 0), min(count, 1))

        is_empty = tf.equal(size, 0)
        return (
            tf.where(is_empty, tf.maximum(count - 1, 0), start),
            tf.where(is_empty, tf.minimum(count, 1), size),
        )

    def cut(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Cut the worker's rows out of every batch of any pipeline, which it reads whole."""
        is_plain_tuple = type(dataset.element_spec) is tuple  # tf.data hands over a named one whole

        def cut_batch(*elements: Any) -> tuple[Any, tf.Tensor]:
            batch = elements if is_plain_tuple else elements[0]
            count = tf.convert_to_tensor(count_units(batch))
            start, size = self.rows(count)
            return slice_units(batch, count, start, size), tf.cast(count, tf.int64)

        # By its own thread: rows are sliced while a step runs.
        return dataset.map(cut_batch, num_parallel_calls=1, deterministic=True).prefetch(2)

    def batches(
        self,
        make: Callable[[Indices, int], tf.data.Dataset],
        indices: Indices,
        batch_size: int,
    ) -> tf.data.Dataset:
        """Read the worker's rows of batches that are asked for by index, and no others.

        Args:
            make: Batches of these examples; the last one may be smaller.
            indices: Of all examples, in the order of the epoch.
            batch_size: Of a global batch.
        """
        whole, rest = divmod(len(indices), batch_size)
        start, size = self.rows(batch_size)
        table = indices[: whole * batch_size].reshape(whole, batch_size)  # (batches, examples)
        counts = [batch_size] * whole
        pieces = [table[:, start : start + size].reshape(-1)]

        if rest:
            # Never more than of a whole batch, so that it is a last, smaller batch.
            start, last_size = self.rows(rest)
            pieces.append(indices[whole * batch_size :][start : start + last_size])
            counts.append(rest)

        numbers = tf.data.Dataset.from_tensor_slices(np.array(counts, np.int64))
        return tf.data.Dataset.zip(make(np.concatenate(pieces), size), numbers)
