"""Custom gradients of a traced step, which TensorFlow would keep for ever."""

import weakref
from typing import Any

from lightning_tf.tensorflow_internals import custom_gradient_names, forget_custom_gradients


def release_custom_gradients(graph: Any, *, after: object) -> None:
    """Let TensorFlow forget a graph's custom gradients once an object is gone.

    `tf.custom_gradient`, and with it every sum over replicas, enters the gradient into a table of
    the process when it is traced, from where it holds its tensors and so the whole graph: 7 MB more
    after every fit of a small conv net. Whoever owns the graph takes no gradient through it any
    more, for gradients were taken while it was traced.

    Args:
        graph: Its own operations are looked through, not those of functions that it calls.
        after: The object that dies with the last use of the graph.

    Example:
        >>> release_custom_gradients(traced.graph, after=window)
    """
    finalizer = weakref.finalize(after, forget_custom_gradients, custom_gradient_names(graph))
    finalizer.atexit = False  # the table ends with the process
