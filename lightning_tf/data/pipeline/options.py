"""How the package's own input pipelines run: on all cores, in order, not autotuned."""

import os

import tensorflow as tf


def parallel_calls() -> int:
    """Return how many examples are made at once: one for each core that the process may use.

    Example:
        >>> parallel_calls() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def disable_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Take from a pipeline the thread that measures it and sets ``AUTOTUNE`` values.

    An iterator whose tuner is asleep is often destroyed only when it wakes: on TensorFlow 2.21 the
    end of an epoch of a second or longer waited 0.1 to 0.6 s in four of ten cases, with both cores
    idle. Nothing is left to tune where `parallel_calls` and a fixed number of waiting batches are
    given. The pipeline begins to run with its iterator, on threads of its own.

    Args:
        dataset: Without any ``AUTOTUNE``.

    Example:
        >>> dataset = disable_autotune(tf.data.Dataset.range(3).prefetch(2))
        >>> dataset.options().autotune.enabled
        False
    """
    options = untuned_options()
    options.experimental_warm_start = True  # while TensorFlow prepares the graph that will read
    return dataset.with_options(options)


def untuned_options() -> tf.data.Options:
    """Return options of a pipeline without the tuner, on threads of its own (see `GraphLoop`).

    Example:
        >>> untuned_options().autotune.enabled
        False
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 0  # as many as there are cores
    return options
