"""How the package's own input pipelines run: on all cores, in order, without tf.data's tuner."""

from __future__ import annotations

import os

import tensorflow as tf


def parallel_calls() -> int:
    """How many examples are made at once: one for each core that the process may use.

    Example:
        >>> parallel_calls() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def without_tuner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same pipeline without the thread that measures it and sets ``AUTOTUNE`` values.

    An iterator whose tuner is asleep is often destroyed only when it wakes: on TensorFlow 2.21 the
    end of an epoch of a second or longer waited 0.1 to 0.6 s in four of ten cases, with both cores
    idle. Nothing is left to tune where `parallel_calls` and a fixed number of waiting batches are
    given. It begins with its iterator, on threads of its own.

    Args:
        dataset: Without any ``AUTOTUNE``.

    Example:
        >>> dataset = without_tuner(tf.data.Dataset.range(3).prefetch(2))
        >>> dataset.options().autotune.enabled
        False
    """
    options = untuned()
    options.experimental_warm_start = True  # while TensorFlow prepares the graph that will read
    return dataset.with_options(options)


def untuned() -> tf.data.Options:
    """Options of a pipeline without the tuner, on threads of its own (see `GraphLoop`).

    Example:
        >>> untuned().autotune.enabled
        False
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 0  # as many as there are cores
    return options
