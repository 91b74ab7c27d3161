"""OwnRows: what the pipeline of a worker gives that reads its own share of the records."""

from typing import Any, NamedTuple

import tensorflow as tf

from lightning_tf.distribute.replica_batch import count_units
from lightning_tf.exceptions import DataError
from lightning_tf.tensorflow_internals import repeats_for_ever

ENDLESS, UNKNOWN = -1, -2  # lengths
FOR_EVER = 2**62  # repetitions; a number, so that the pipeline is not taken for one without an end


class OwnRows(NamedTuple):
    """A worker's rows of a global batch that nobody has whole.

    How many rows the batch has, workers tell each other in the graph. A worker whose share has
    ended before that of another gives its first batch again, of which no row counts.

    Attributes:
        rows: A batch, never empty.
        count: How many of its rows count, a scalar int64; all of them, or 0.
    """

    rows: Any
    count: Any


def length_of_share(dataset: tf.data.Dataset) -> int:
    """Return the number of batches, `ENDLESS` or `UNKNOWN`; plain data for an exchange."""
    if repeats_for_ever(dataset):
        return ENDLESS
    return max(int(dataset.cardinality()), UNKNOWN)


def own_rows(
    dataset: tf.data.Dataset,
    lengths: list[int],
    what: str,
    start: int = 0,
    rest: tf.data.Dataset | None = None,
) -> tf.data.Dataset:
    """Return a worker's batches as `OwnRows`, which end where those of the last worker end.

    Where the lengths are known, there are as many batches on every worker. Otherwise the pipeline
    has no end of its own: the loop ends at the batch of which nobody has rows.

    Args:
        dataset: The worker's own batches.
        lengths: Of all workers' shares, as `length_of_share` gives them.
        what: The method that gave the batches, for messages.
        start: The first batch wanted.
        rest: The worker's batches from there on; None are all of them.

    Raises:
        DataError: Some shares repeat for ever and others end.

    Example:
        >>> rows = own_rows(tf.data.Dataset.range(5).batch(2), [3, 4], "train_shard")
        >>> [int(count) for _, count in rows]
        [2, 2, 1, 0]
    """
    is_plain_tuple = type(dataset.element_spec) is tuple  # tf.data hands over a named one whole

    def counted(*elements: Any) -> OwnRows:
        batch = elements if is_plain_tuple else elements[0]
        return OwnRows(batch, tf.cast(count_units(batch), tf.int64))

    owned = dataset.map(counted)
    wanted = owned if rest is None else rest.map(counted)
    if set(lengths) == {ENDLESS}:
        return wanted.prefetch(2)
    if ENDLESS in lengths:
        raise DataError(
            f"{what}: the share of worker {lengths.index(ENDLESS)} repeats for ever, and another "
            "worker's ends; let all of them repeat, or none."
        )

    # Kept when it is read: to begin a pipeline anew for every missing batch would cost its start.
    first = (
        owned.take(1)
        .map(lambda element: OwnRows(element.rows, tf.zeros_like(element.count)))
        .cache()
    )
    endless = wanted.concatenate(first.repeat(FOR_EVER))
    if UNKNOWN in lengths:
        return endless.prefetch(2)
    return endless.take(max(max(lengths) - start, 0)).prefetch(2)


def is_own(element_spec: Any) -> bool:
    """Return whether a pipeline gives `OwnRows`."""
    return isinstance(element_spec, OwnRows)
