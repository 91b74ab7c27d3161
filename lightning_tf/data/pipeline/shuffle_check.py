"""Whether a user's own tf.data pipeline gives batches that a resumed run cannot repeat."""

from collections.abc import Callable

import tensorflow as tf

from lightning_tf.tensorflow_internals import (
    pipeline_operation_types,
    reshuffles,
    shuffle_seeds,
    shuffles_of,
)

REMEDY = (
    "a resumed run will see other batches and cannot be exact. Shuffle anew for each epoch with a "
    "seed of its own, in DataModule.train_dataset(epoch): "
    "dataset.shuffle(n, seed=1000 * self.order_seed + epoch)."
)

PYTHON = {"EagerPyFunc", "GeneratorDataset", "PyFunc"}  # not numpy_function(stateful=False)
PYTHON_CALLED = (
    "train_dataset calls Python (from_generator, py_function or numpy_function), of which a "
    "checkpoint knows only how many batches it gave: every epoch, and a resumed run, begins it "
    "anew. Where it draws numbers or has a position of its own, seed it by the epoch in "
    "DataModule.train_dataset(epoch); a stream goes on from epoch to epoch where the data set "
    "ends with .repeat()."
)


def unrepeatable_order(dataset: tf.data.Dataset, again: Callable[[], tf.data.Dataset]) -> str:
    """Return what is wrong with a data set's order; empty where nothing is.

    Args:
        dataset: What `train_dataset` gave for an epoch.
        again: Calls it once more, for the same epoch.
    """
    if PYTHON & pipeline_operation_types(dataset):
        return PYTHON_CALLED
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
