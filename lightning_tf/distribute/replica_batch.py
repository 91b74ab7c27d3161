"""ReplicaBatch: the examples of a global batch that one replica computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.combined_batch import CombinedBatch, common_units
from lightning_tf.exceptions import ConfigurationError


@dataclass(frozen=True)
class ReplicaBatch:
    """One replica's examples of a global batch.

    Replicas take contiguous examples in their order, as evenly as can be: 7 examples over 2
    replicas are 4 and 3. A replica that is left without any computes with the batch's last example,
    which nothing may count.

    Attributes:
        batch: What the replica computes with, never empty.
        examples: How many of the examples count, a float32 scalar; 0 where none is left.
        fraction: `examples` over the examples of the whole batch.
        may_be_idle: Whether `examples` can be 0; False where the shapes say that it cannot.

    Example:
        >>> replica_batch = ReplicaBatch.cut(tf.range(7), index=1, num_replicas=2)
        >>> replica_batch.batch.numpy().tolist(), float(replica_batch.examples)
        ([4, 5, 6], 3.0)
    """

    batch: Any
    examples: tf.Tensor
    fraction: tf.Tensor
    may_be_idle: bool

    @classmethod
    def cut(
        cls,
        batch: Any,
        index: int | tf.Tensor,
        num_replicas: int,
        *,
        count: Any = None,
        local: Any = None,
        before: Any = 0,
    ) -> ReplicaBatch:
        """Cut one replica's examples out of a batch, on the host.

        Args:
            batch: Dense, ragged or sparse tensors of equally many examples; a scalar goes to every
                replica whole. A `CombinedBatch` is cut into units, which are then what is counted.
            index: Which replica, from 0.
            num_replicas: How many replicas there are.
            count: The examples of the global batch, where `batch` is only a worker's rows of it.
            local: How many of them `batch` holds, where that is known.
            before: How many of them come before these rows.

        Raises:
            ConfigurationError: A tensor has another number of examples than the first one.
        """
        # On the host, where the batch is: a device gets its own examples only.
        with tf.device("/CPU:0"):
            local = _static(count_units(batch) if local is None else local)
            index = _static(index)
            count = local if count is None else _static(count)
            shard, start = shard_size_and_start(count, index, num_replicas)

            # The last example stands in for a replica without any.
            size = tf.maximum(shard, 1)
            start = tf.minimum(start - before, tf.maximum(local - 1, 0))
            rows = slice_units(batch, local, _static(start), _static(size))

            units = tf.cast(shard, tf.float32)
            fraction = tf.math.divide_no_nan(units, tf.cast(count, tf.float32))
            # Of a combined batch the rows of all its sets.
            examples = units
            if isinstance(batch, CombinedBatch):
                unit = tf.cast(count_examples(rows), tf.float32) / tf.cast(size, tf.float32)
                examples = units * unit

        may_be_idle = not isinstance(count, int) or count < num_replicas
        return cls(rows, examples, fraction, may_be_idle=may_be_idle)

    @classmethod
    def cut_own(
        cls, rows: Any, index: Any, local_replicas: int, count: Any, total: Any
    ) -> ReplicaBatch:
        """Cut one replica's examples out of rows that its worker alone has.

        Args:
            rows: The worker's rows of a batch.
            index: Which of the worker's replicas, from 0.
            local_replicas: How many it has.
            count: How many of the rows count: all, or none.
            total: How many rows the batch has on all workers.
        """
        with tf.device("/CPU:0"):
            piece = cls.cut(rows, index, local_replicas, count=tf.cast(count, tf.int32))
            fraction = tf.math.divide_no_nan(piece.examples, tf.cast(total, tf.float32))
        return cls(piece.batch, piece.examples, fraction, may_be_idle=True)

    @property
    def is_real(self) -> tf.Tensor:
        """Return whether the replica has examples that count, a boolean scalar."""
        return self.examples > 0.0


def count_examples(batch: Any) -> tf.Tensor:
    """Count a batch's examples: the first dimension of its tensors; 1 where all are scalars.

    A `CombinedBatch` has those of all its sets. Where the counts of tensors are known only when the
    batch is there, the graph fails if they differ.

    Raises:
        ConfigurationError: Tensors have different numbers of examples.
    """
    if isinstance(batch, CombinedBatch):
        return tf.add_n([count_examples(each) for each in batch.values()])
    tensors = [t for t in tf.nest.flatten(batch) if hasattr(t, "shape") and t.shape.rank != 0]
    if not tensors:
        return tf.constant(1)

    lengths = [_static(_length(tensor)) for tensor in tensors]
    count = next((length for length in lengths if isinstance(length, int)), lengths[0])
    for length in lengths:
        if length is not count:
            _check_length(length, count)
    return tf.convert_to_tensor(count)


def count_units(batch: Any) -> tf.Tensor:
    """Count what a batch can be cut into: its examples, or the units of a `CombinedBatch`."""
    if not isinstance(batch, CombinedBatch):
        return count_examples(batch)
    counts = [_static(count_examples(each)) for each in batch.values()]
    return tf.convert_to_tensor(common_units(counts))


def slice_units(batch: Any, count: Any, start: Any, size: Any) -> Any:
    """Slice units out of a batch of `count` units; `slice_rows` for one that is not combined."""
    if not isinstance(batch, CombinedBatch):
        return slice_rows(batch, count, start, size)
    sets = {}
    for name, each in batch.items():
        rows = _static(count_examples(each))
        unit = rows // max(count, 1) if isinstance(count, int) else rows // tf.maximum(count, 1)
        sets[name] = slice_rows(each, rows, start * unit, size * unit)
    return CombinedBatch(sets)


def slice_rows(batch: Any, count: Any, start: Any, size: Any) -> Any:
    """Slice rows out of every tensor of a batch of `count` examples; scalars stay whole.

    Raises:
        ConfigurationError: A tensor has another number of examples.
    """
    return tf.nest.map_structure(
        lambda part: _slice(part, count, start, size) if hasattr(part, "shape") else part, batch
    )


def shard_size_and_start(count: Any, index: Any, num_shards: int) -> tuple[Any, Any]:
    """Return how many of `count` examples a shard has, and where it begins.

    Args:
        count: Integer, or an int32 tensor.
        index: Of the shard; the same.
        num_shards: How many shards there are, the first ones larger by one where they must be.

    Example:
        >>> shard_size_and_start(7, 1, 2)
        (3, 4)
    """
    rest = count % num_shards  # so many shards, the first ones, are larger by one
    if isinstance(count, int) and isinstance(index, int):
        size, larger = count // num_shards + (index < rest), min(index, rest)
    else:
        size = count // num_shards + tf.cast(tf.less(index, rest), tf.int32)
        larger = tf.minimum(index, rest)
    return size, index * (count // num_shards) + larger


def _static(value: Any) -> Any:
    """Return a Python number where the graph holds a constant, which keeps shapes known."""
    static = value if isinstance(value, int) else tf.get_static_value(value)
    return value if static is None else int(static)


def _length(tensor: Any) -> tf.Tensor:
    if isinstance(tensor, tf.RaggedTensor):
        return tf.cast(tensor.nrows(), tf.int32)
    if isinstance(tensor, tf.SparseTensor):
        return tf.cast(tensor.dense_shape[0], tf.int32)
    if tensor.shape.rank == 0:
        return tf.constant(1)
    length = tensor.shape[0]
    return tf.shape(tensor)[0] if length is None else tf.constant(length)


def _slice(tensor: Any, count: Any, start: Any, size: Any) -> Any:
    if tensor.shape.rank == 0:
        return tensor
    _check_length(_static(_length(tensor)), count)

    if isinstance(tensor, tf.SparseTensor):
        rank = tensor.shape.rank
        begin = tf.concat([[start], tf.zeros([rank - 1], tf.int32)], axis=0)  # (rank,)
        shape = tf.concat([[size], tf.cast(tensor.dense_shape[1:], tf.int32)], axis=0)
        return tf.sparse.slice(tensor, tf.cast(begin, tf.int64), tf.cast(shape, tf.int64))

    rows = tensor[start : start + size]  # (size, ...)
    if isinstance(tensor, tf.Tensor):  # slicing by tensors forgets every known length
        rows.set_shape([size if isinstance(size, int) else None, *tensor.shape[1:]])
    return rows


def _check_length(length: Any, count: Any) -> None:
    message = (
        "the tensors of a batch hold different numbers of examples; give each tensor one row for "
        "every example, and keep what belongs to no example in the Task, or make it a scalar."
    )
    if not (isinstance(length, int) and isinstance(count, int)):
        with tf.device("/CPU:0"):  # shapes lie on the host, and so must what compares them
            tf.debugging.assert_equal(length, count, message)
    elif length != count:
        raise ConfigurationError(f"{message} Found {count} and {length}.")
