"""EpochIterator: tf.data's iterator over an epoch, made ahead, for whose end nobody waits."""

from __future__ import annotations

import sys
from threading import Thread
from types import TracebackType
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.own_rows import is_own
from lightning_tf.graph.moved_batches import can_move, cast_to, moved_spec


class EpochIterator:
    """Holds an iterator inside a ``with`` block and lets go of it in a thread.

    TensorFlow destroys the iterator of a pipeline with ``AUTOTUNE`` often only when the thread that
    tunes it wakes: up to 0.7 s later, after epochs of half a second or longer. It gives Python's
    lock away meanwhile, so that whoever goes on with the next epoch need not wait.

    Args:
        dataset: To iterate over.
        device: Of the steps that read it; see `prefetched_to`.

    Example:
        >>> with EpochIterator(tf.data.Dataset.range(3)) as epoch:
        ...     int(next(epoch.iterator))
        0
    """

    def __init__(self, dataset: tf.data.Dataset, device: str | None = None) -> None:
        self._held = [iter(prefetched_to(device, reading_ahead(dataset)))]

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
        if sys.is_finalizing():  # held by an exception until now: a thread would never start
            return
        Thread(target=self._held.clear, name="iterator").start()

    def has_next(self) -> bool:
        """Return whether there is another batch, which is taken; of a share, one of its own."""
        batch = self.iterator.get_next_as_optional()
        if not batch.has_value():
            return False
        return not is_own(batch.element_spec) or bool(batch.get_value().count > 0)

    @property
    def is_open(self) -> bool:
        """Return whether the iterator is still held."""
        return bool(self._held)

    @property
    def iterator(self) -> Any:
        """The iterator, for one call."""
        return self._held[0]


def reading_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the same pipeline, making batches before they are asked for, on its own threads.

    It begins with its iterator: the first batches are made while TensorFlow rewrites the graph that
    will read them. How many wait is tf.data's to tune, unless the pipeline ends with a number of
    its own. One that was made without the tuner, as the package's own are, begins as it says.

    Args:
        dataset: Any.

    Example:
        >>> reading_ahead(tf.data.Dataset.range(3)).options().threading.private_threadpool_size
        0
    """
    present, options = dataset.options(), tf.data.Options()
    if present.autotune.enabled is not False:
        options.experimental_warm_start = True
        if not _prefetches(dataset):
            dataset = dataset.prefetch(tf.data.AUTOTUNE)
    elif present.threading.private_threadpool_size is not None:
        return dataset  # options would cost 0.6 ms

    if present.threading.private_threadpool_size is None:
        options.threading.private_threadpool_size = 0  # as many as there are cores
    return dataset.with_options(options)


def prefetched_to(device: str | None, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the same pipeline, whose next batch is copied to a device while a step runs there.

    Without it a batch is copied inside its own step, which waits for it.

    Args:
        device: Such as ``/GPU:0``; None leaves the pipeline as it is.
        dataset: The last part of the pipeline; batches become those of `moved_spec`.
    """
    spec = dataset.element_spec
    if device is None or not can_move(spec):
        return dataset
    moved = moved_spec(device, spec)
    if moved != spec:

        def cast(*parts: Any) -> Any:  # of a tuple, map hands over its parts
            return cast_to(moved, tf.nest.pack_sequence_as(moved, tf.nest.flatten(parts)))

        dataset = dataset.map(tf.autograph.experimental.do_not_convert(cast))
    return dataset.apply(tf.data.experimental.prefetch_to_device(device))


def _prefetches(dataset: tf.data.Dataset) -> bool:
    # The class has no public name. Where this finds nothing, batches pass one queue more.
    return "Prefetch" in type(dataset).__name__
