"""Custom gradients of a traced step, which TensorFlow would keep for ever."""

from __future__ import annotations

import weakref
from typing import Any

from tensorflow.python.framework import ops

ATTRIBUTE = "_gradient_op_type"


def forget_with(owner: object, graph: Any) -> None:
    """Let TensorFlow forget a graph's custom gradients once an object is gone.

    `tf.custom_gradient`, and with it every sum over replicas, enters the gradient into a table of
    the process when it is traced, from where it holds its tensors and so the whole graph: 7 MB more
    after every fit of a small conv net. Whoever owns the graph takes no gradient through it any
    more, for gradients were taken while it was traced.

    Args:
        owner: Dies with the last use of the graph.
        graph: Its own operations are looked through, not those of functions that it calls.

    Example:
        >>> forget_with(window, traced.graph)
    """
    operations = graph.get_operations()
    names = [op.get_attr(ATTRIBUTE) for op in operations if ATTRIBUTE in op.node_def.attr]
    weakref.finalize(owner, _forget, [name.decode() for name in names]).atexit = False


def _forget(names: list[str]) -> None:
    table = ops.gradient_registry._registry
    for name in names:
        table.pop(name, None)
