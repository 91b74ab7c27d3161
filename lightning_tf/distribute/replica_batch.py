"""ReplicaBatch: the examples of a global batch that one replica computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError


@dataclass(frozen=True)
class ReplicaBatch:
    """One replica's part of a global batch.

    Replicas take contiguous parts in their order, as even as can be: 7 examples over 2 replicas are
    4 and 3. A replica that is left without any computes with the batch's last example, which
    nothing may count.

    Attributes:
        batch: What the replica computes with, never empty.
        examples: How many of the examples are this replica's own, float32; 0 where none is left.
        share: `examples` over the examples of the whole batch.
        may_be_idle: Whether `examples` can be 0; False where the shapes say that it cannot.

    Example:
        >>> part = ReplicaBatch.cut(tf.range(7), index=1, parts=2)
        >>> part.batch.numpy().tolist(), float(part.examples)
        ([4, 5, 6], 3.0)
    """

    batch: Any
    examples: tf.Tensor
    share: tf.Tensor
    may_be_idle: bool

    @classmethod
    def cut(
        cls,
        batch: Any,
        index: int | tf.Tensor,
        parts: int,
        *,
        count: Any = None,
        before: Any = 0,
    ) -> ReplicaBatch:
        """Cut one part out of a batch, on the host.

        Args:
            batch: Dense, ragged or sparse tensors of equally many examples; a scalar goes to every
                replica whole.
            index: Which part, from 0.
            parts: How many parts there are.
            count: The examples of the global batch, where `batch` is only a worker's rows of it.
            before: How many of them come before these rows.

        Raises:
            ConfigurationError: A tensor has another number of examples than the first one.
        """
        # On the host, where the batch is: a device gets its own examples only.
        with tf.device("/CPU:0"):
            here, number = _known(example_count(batch)), _known(index)
            count = here if count is None else _known(count)
            own, start = part_of(count, number, parts)
            size = tf.maximum(own, 1)
            # The last example stands in for a replica without any.
            start = tf.minimum(start - before, tf.maximum(here - 1, 0))
            cut = rows_of(batch, here, _known(start), _known(size))
            examples = tf.cast(own, tf.float32)
            share = tf.math.divide_no_nan(examples, tf.cast(count, tf.float32))
        idle = not isinstance(count, int) or count < parts
        return cls(cut, examples, share, may_be_idle=idle)

    @property
    def is_real(self) -> tf.Tensor:
        """Whether the replica has examples of its own, a boolean scalar."""
        return self.examples > 0.0


def example_count(batch: Any) -> tf.Tensor:
    """How many examples a batch holds: the first dimension of its first tensor, 1 for a scalar."""
    return _length(tf.nest.flatten(batch)[0])


def _known(value: Any) -> Any:
    """A Python number where the graph holds a constant, which keeps shapes known."""
    known = value if isinstance(value, int) else tf.get_static_value(value)
    return value if known is None else int(known)


def rows_of(batch: Any, count: Any, start: Any, size: Any) -> Any:
    """Some rows of every tensor of a batch of `count` examples; scalars stay whole.

    Raises:
        ConfigurationError: A tensor has another number of examples.
    """
    return tf.nest.map_structure(lambda whole: _slice(whole, count, start, size), batch)


def part_of(count: Any, number: Any, parts: int) -> tuple[Any, Any]:
    """How many of `count` examples part `number` has, and where it begins.

    Args:
        count: Integer, or an int32 tensor.
        number: The same.
        parts: How many parts there are.
    """
    rest = count % parts
    if isinstance(count, int) and isinstance(number, int):
        own, before = count // parts + (number < rest), min(number, rest)
    else:
        own = count // parts + tf.cast(tf.less(number, rest), tf.int32)
        before = tf.minimum(number, rest)
    return own, number * (count // parts) + before


def _length(part: Any) -> tf.Tensor:
    if isinstance(part, tf.RaggedTensor):
        return tf.cast(part.nrows(), tf.int32)
    if isinstance(part, tf.SparseTensor):
        return tf.cast(part.dense_shape[0], tf.int32)
    if part.shape.rank == 0:
        return tf.constant(1)
    known = part.shape[0]
    return tf.shape(part)[0] if known is None else tf.constant(known)


def _slice(whole: Any, count: Any, start: Any, size: Any) -> Any:
    if whole.shape.rank == 0:
        return whole
    _check_length(_known(_length(whole)), count)
    if isinstance(whole, tf.SparseTensor):
        rank = whole.shape.rank
        begin = tf.concat([[start], tf.zeros([rank - 1], tf.int32)], axis=0)
        shape = tf.concat([[size], tf.cast(whole.dense_shape[1:], tf.int32)], axis=0)
        return tf.sparse.slice(whole, tf.cast(begin, tf.int64), tf.cast(shape, tf.int64))
    part = whole[start : start + size]
    if isinstance(whole, tf.Tensor):
        part.set_shape([size if isinstance(size, int) else None, *whole.shape[1:]])
    return part


def _check_length(length: Any, count: Any) -> None:
    message = (
        "the tensors of a batch hold different numbers of examples, so that it cannot be divided "
        "among replicas; give each tensor one row for every example, or train on one device."
    )
    if not (isinstance(length, int) and isinstance(count, int)):
        tf.debugging.assert_equal(length, count, message)
    elif length != count:
        raise ConfigurationError(f"{message} Found {count} and {length}.")
