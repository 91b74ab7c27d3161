"""Several training sets as one pipeline, combined as Lightning's CombinedLoader does."""

from typing import Any

import tensorflow as tf

from lightning_tf.checks import checked_choice
from lightning_tf.data.named_sets import NamedSets
from lightning_tf.distribute.combined_batch import CombinedBatch
from lightning_tf.exceptions import DataError
from lightning_tf.tensorflow_internals import repeats_for_ever, reshuffles, shuffles_of

ENDLESS = -1  # a length
MODES = ("max_size_cycle", "min_size", "max_size", "sequential")


def combined_sets(sets: NamedSets, mode: str, what: str, start: int = 0) -> tf.data.Dataset:
    """Return the batches of several sets, combined, from number `start` on.

    Where to go on in each set is computed: of one that is shorter than `start` only the rest of its
    pass is skipped, and a set that is done is not read.

    Args:
        sets: Their batches, the same in every pass unless they reshuffle.
        mode: One of `MODES`.
        what: The method that gave them, for messages.
        start: The first batch wanted.

    Raises:
        ConfigurationError: There is no such mode.
        DataError: A set is empty, or of a length or a kind that the mode cannot take.

    Example:
        >>> sets = {"a": tf.data.Dataset.range(3), "b": tf.data.Dataset.range(2)}
        >>> [int(batch["b"]) for batch in combined_sets(sets, "max_size_cycle", "train_dataset")]
        [0, 1, 0]
    """
    checked_choice(f"{what}: combine", mode, MODES)
    lengths = {name: _length(dataset) for name, dataset in sets.items()}
    for name, length in lengths.items():
        if length == 0:
            raise DataError(f"{what}: data set {name!r} is empty: it holds no batch.")
    if mode == "sequential":
        return _sequential(sets, lengths, what, start)
    if mode == "min_size":
        return _together({name: dataset.skip(start) for name, dataset in sets.items()})

    unknown = [name for name, length in lengths.items() if length is None]
    endless = any(length == ENDLESS for length in lengths.values())
    if unknown and not endless:
        raise DataError(
            f"{what}: data set {unknown[0]!r} has no known length, and combine={mode!r} ends with "
            "the longest set; use combine='min_size' or 'sequential', or tell the length with "
            "dataset.apply(tf.data.experimental.assert_cardinality(batches))."
        )
    longest = ENDLESS if endless else max(length or 0 for length in lengths.values())
    extend = _cycled if mode == "max_size_cycle" else _filled
    parts = {
        name: dataset.skip(start)
        if lengths[name] == longest
        else extend(dataset, lengths[name], start, f"{what}: data set {name!r}")
        for name, dataset in sets.items()
    }
    return _together(parts)


def _length(dataset: tf.data.Dataset) -> int | None:
    if repeats_for_ever(dataset):
        return ENDLESS
    cardinality = int(dataset.cardinality())
    return cardinality if cardinality >= 0 else None


def _together(parts: NamedSets) -> tf.data.Dataset:
    return tf.data.Dataset.zip(CombinedBatch(parts))


def _cycled(dataset: tf.data.Dataset, length: int | None, start: int, what: str) -> Any:
    """Return a set again and again, from number `start` on."""
    if length is None or any(map(reshuffles, shuffles_of(dataset))):
        return dataset.repeat().skip(start)  # another order in every pass: only reading knows it
    rest = start % length
    return dataset.skip(rest).concatenate(dataset.repeat()) if rest else dataset.repeat()


def _filled(dataset: tf.data.Dataset, length: int | None, start: int, what: str) -> Any:
    """Return a set from number `start` on and, when it is exhausted, batches without examples."""
    empty = tf.nest.map_structure(lambda spec: _no_rows(spec, what), dataset.element_spec)
    nothing = tf.data.Dataset.from_tensors(empty).repeat()
    if length is not None and start >= length:
        # Of the same shapes as before it was exhausted: a resumed run is traced alike.
        return dataset.take(0).concatenate(nothing)
    return dataset.skip(start).concatenate(nothing)


def _no_rows(spec: Any, what: str) -> tf.Tensor:
    if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
        raise DataError(
            f"{what} gives {spec}, of which no batch without examples can be made; use "
            "combine='max_size_cycle'."
        )
    sizes = [size or 0 for size in spec.shape]
    return tf.zeros([0, *sizes[1:]] if sizes else [], spec.dtype)


def _sequential(
    sets: NamedSets, lengths: dict[str | int, int | None], what: str, start: int
) -> tf.data.Dataset:
    """Return pairs of a batch and the place of its set, one set after the other."""
    chain: Any = None
    for place, (name, dataset) in enumerate(sets.items()):
        length = lengths[name]
        if length == ENDLESS and place < len(sets) - 1:
            raise DataError(
                f"{what}: data set {name!r} repeats for ever, so that combine='sequential' would "
                "never come to the next one; let it end."
            )
        pairs = tf.data.Dataset.zip((dataset, tf.data.Dataset.from_tensors(place).repeat()))
        if length is None:
            chain, start = _after(chain, pairs, name, what).skip(start), 0
            continue

        # Nothing of a set that is done is read; it stays for its shapes.
        done = length != ENDLESS and start >= length
        chain = _after(chain, pairs.take(0) if done else pairs.skip(start), name, what)
        start = start - length if done else 0
    return chain


def _after(chain: Any, pairs: tf.data.Dataset, name: str | int, what: str) -> Any:
    try:
        return pairs if chain is None else chain.concatenate(pairs)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{what}: data set {name!r} gives {pairs.element_spec[0]}, and those before it "
            f"{chain.element_spec[0]}; combine='sequential' needs batches of one kind."
        ) from error
