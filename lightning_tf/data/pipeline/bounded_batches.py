"""bounded_batches: batches to learn something from, also of data that have no end."""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

import tensorflow as tf

from lightning_tf.tensorflow_internals import repeats_for_ever

MOST_BATCHES = 1000

_log = logging.getLogger(__name__)


def bounded_batches(dataset: tf.data.Dataset, what: str, most: int = MOST_BATCHES) -> Iterator[Any]:
    """Yield the batches of a dataset as host arrays; the first ones alone where it may not end.

    A dataset of known length is read to its end. One that repeats for ever, or whose length nobody
    knows, is read up to a bound, which the log tells.

    Args:
        dataset: Batches.
        what: What is learned from them and which option settles it, for the message.
        most: Batches of a dataset without a known end.

    Example:
        >>> endless = tf.data.Dataset.range(4).repeat().batch(2)
        >>> len(list(bounded_batches(endless, "nothing", most=3)))
        3
    """
    if int(dataset.cardinality()) >= 0:
        yield from dataset.as_numpy_iterator()
        return

    # One more than is used tells whether there are more.
    batches = dataset.take(most + 1).as_numpy_iterator()
    yield from islice(batches, most)
    if next(batches, None) is not None:
        end = "repeats for ever" if repeats_for_ever(dataset) else "has no known length"
        _log.warning("the dataset %s: %s, of its first %d batches.", end, what, most)
