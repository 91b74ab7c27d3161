"""EpochIterator: tf.data's iterator over an epoch, for whose end nobody waits."""

from __future__ import annotations

from threading import Thread
from types import TracebackType
from typing import Any

import tensorflow as tf

from lightning_tf.next_batch import with_own_threads


class EpochIterator:
    """Holds an iterator inside a ``with`` block and lets go of it in a thread.

    TensorFlow destroys the iterator of a pipeline with ``AUTOTUNE`` often only when the thread that
    tunes it wakes: up to 0.7 s later, after epochs of half a second or longer. It gives Python's
    lock away meanwhile, so that whoever goes on with the next epoch need not wait.

    Args:
        dataset: To iterate over.

    Example:
        >>> with EpochIterator(tf.data.Dataset.range(3)) as epoch:
        ...     int(next(epoch.iterator))
        0
    """

    def __init__(self, dataset: tf.data.Dataset) -> None:
        self._held = [iter(with_own_threads(dataset))]

    def __enter__(self) -> EpochIterator:
        """Return itself: a name for the iterator would keep it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the iterator."""
        Thread(target=self._held.clear, name="iterator").start()

    @property
    def iterator(self) -> Any:
        """The iterator, for one call."""
        return self._held[0]
