"""Repetitions: batches of nothing, for a task that optimizes without data."""

from typing import Any

import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule


class Repetitions(DataModule):
    """An epoch of so many updates; a batch is the number of its update, int64 of shape (1,).

    Several replicas share a batch of one example: the first computes, the others weigh nothing, so
    that all see the update of one device.

    Args:
        length: Updates in an epoch.
        predict: What is predicted, as one batch of shape (examples, ...); None for nothing.

    Raises:
        ConfigurationError: `length` is no positive integer.

    Example:
        >>> [int(batch[0]) for batch in Repetitions(3).train_dataset(epoch=0)]
        [0, 1, 2]
    """

    def __init__(self, length: int = 100, predict: Any = None) -> None:
        super().__init__(batch_size=1)
        self.length = checked_integer("length", length, least=1)
        self._predict = predict

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the numbers from 0 on, one a batch."""
        return tf.data.Dataset.range(self.length).batch(1)

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the `predict` argument, in one batch."""
        if self._predict is None:
            return None
        return tf.data.Dataset.from_tensors(self._predict)
