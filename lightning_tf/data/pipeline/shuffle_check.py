"""Whether a user's own tf.data pipeline shuffles in an order that a resumed run cannot repeat."""

from collections.abc import Callable

import tensorflow as tf

from lightning_tf.tensorflow_internals import reshuffles, shuffle_seeds, shuffles_of

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
    shuffles = shuffles_of(dataset)
    if not shuffles:
        return ""

    for first, second in zip(shuffles, shuffles_of(again()), strict=True):
        # Without a seed of its own a shuffle takes 0, or under a global seed the next of a sequence
        # that depends on every operation made before.
        if shuffle_seeds(first) == (0, 0) or shuffle_seeds(first) != shuffle_seeds(second):
            return f"train_dataset shuffles without a seed: {REMEDY}"
        # The same object twice: it goes on with its sequence instead of beginning it again.
        if first is second and reshuffles(first):
            return f"train_dataset gives one data set that reshuffles whenever it is read: {REMEDY}"
    return ""
