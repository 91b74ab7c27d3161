"""map_and_batch: batches of examples that are made one by one, on all cores and in order."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lightning_tf.data.pipeline.options import disable_autotune, parallel_calls


def map_and_batch(
    elements: tf.data.Dataset, make: Callable[[tf.Tensor], Any], batch_size: int
) -> tf.data.Dataset:
    """Return batches of what `make` makes of each element; the last one may be smaller.

    Args:
        elements: One for each example, such as its index; without any ``AUTOTUNE``.
        make: Makes the example; nothing at random. It is traced as it is, without AutoGraph, which
            would take longer to rewrite it than a thousand examples to make.
        batch_size: Examples in a batch.

    Example:
        >>> squares = map_and_batch(tf.data.Dataset.range(5), lambda i: i * i, 2)
        >>> [batch.tolist() for batch in squares.as_numpy_iterator()]
        [[0, 1], [4, 9], [16]]
    """
    return disable_autotune(
        elements.map(
            tf.autograph.experimental.do_not_convert(make),
            num_parallel_calls=parallel_calls(),
            deterministic=True,
        )
        .batch(batch_size)
        .prefetch(2)
    )
