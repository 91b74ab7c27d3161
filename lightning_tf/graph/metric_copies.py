"""Copies of Keras metrics, so that every stage counts by itself."""

from copy import copy
from types import MethodType
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import copy_tracker, copy_variable, is_tracker

Memo = dict[int, Any]  # copies by the ids of their originals


def copy_metric(metric: keras.metrics.Metric, memo: Memo) -> keras.metrics.Metric:
    """Return a metric of the same class and attributes, with variables of its own.

    Not by `get_config`, which leaves out what a subclass does not name, shares a metric that it
    holds, and cannot write a function. Metrics and variables in it are copied; layers, functions
    and all else that it holds are the same objects.

    Args:
        metric: What a task gave; it is left as it is.
        memo: What is copied already: what two metrics share, their copies share.

    Example:
        >>> copied = copy_metric(keras.metrics.MeanMetricWrapper(lambda y, p: y - p), {})
    """
    if id(metric) not in memo:
        memo[id(metric)] = copied = object.__new__(type(metric))
        for name, value in vars(metric).items():
            object.__setattr__(copied, name, _copy(value, memo))  # past Keras, which would track it
    return memo[id(metric)]


def _copy(value: Any, memo: Memo) -> Any:
    """Return a copy of what holds a metric's state, and anything else as it is."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, keras.metrics.Metric):
        return copy_metric(value, memo)
    if isinstance(value, (dict, list)):
        return _copy_container(value, memo)
    if isinstance(value, tuple):
        items = [_copy(item, memo) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, MethodType) and isinstance(value.__self__, keras.metrics.Metric):
        return MethodType(value.__func__, copy_metric(value.__self__, memo))

    if is_tracker(value):
        memo[id(value)] = copy_tracker(value, lambda store: _copy(store, memo))
    elif isinstance(value, keras.Variable):
        memo[id(value)] = copy_variable(value)
    elif isinstance(value, tf.Variable):
        memo[id(value)] = tf.Variable(value, trainable=value.trainable, dtype=value.dtype)
    return memo.get(id(value), value)


def _copy_container(value: Any, memo: Memo) -> Any:
    memo[id(value)] = copied = copy(value)
    # By the builtin's methods: those of Keras' containers would track each item once more.
    if isinstance(value, dict):
        for key, item in value.items():
            dict.__setitem__(copied, key, _copy(item, memo))
    else:
        list.__setitem__(copied, slice(None), [_copy(item, memo) for item in value])
    if hasattr(value, "tracker"):
        copied.tracker = _copy(value.tracker, memo)
    return copied
