"""Whether a user's own tf.data pipeline shuffles in an order that a resumed run cannot repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

REMEDY = (
    "a resumed run will see other batches and cannot be exact. Shuffle anew for each epoch with a "
    "seed of its own, in DataModule.train_dataset(epoch): "
    "dataset.shuffle(n, seed=1000 * self.order_seed + epoch)."
)


def unrepeatable_order(dataset: tf.data.Dataset, again: Callable[[], tf.data.Dataset]) -> str:
    """Return what is wrong with a data set's order; empty where nothing is.

    Args:
        dataset: What `train_dataset` gave for an epoch.
        again: Calls it once more, for the same epoch.
    """
    shuffles = list(_shuffles(dataset))
    if not shuffles:
        return ""

    for first, second in zip(shuffles, _shuffles(again()), strict=True):
        # Without a seed of its own a shuffle takes 0, or under a global seed the next of a sequence
        # that depends on every operation made before.
        if _seeds(first) == (0, 0) or _seeds(first) != _seeds(second):
            return f"train_dataset shuffles without a seed: {REMEDY}"
        # The same object twice: it goes on with its sequence instead of beginning it again.
        if first is second and first._reshuffle_each_iteration:
            return f"train_dataset gives one data set that reshuffles whenever it is read: {REMEDY}"
    return ""


def _shuffles(dataset: Any) -> Iterator[Any]:
    if type(dataset).__name__ == "_ShuffleDataset":  # tf.data has no public name for it
        yield dataset
    for part in dataset._inputs():
        yield from _shuffles(part)


def _seeds(shuffle: Any) -> tuple[int, int]:
    return int(shuffle._seed), int(shuffle._seed2)
