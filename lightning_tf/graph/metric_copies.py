"""Copies of Keras metrics, so that every stage counts by itself."""

from collections import deque
from copy import copy
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import copy_tracker, copy_variable, is_tracker

Memo = dict[int, Any]  # copies by the ids of their originals
EMPTY = object()  # what a cell holds that nothing is in


def copy_metric(metric: keras.metrics.Metric, memo: Memo) -> keras.metrics.Metric:
    """Return a metric of the same class and attributes, with variables of its own.

    Not by `get_config`, which leaves out what a subclass does not name, shares a metric that it
    holds, and cannot write a function. Metrics and variables in it are copied, and functions that
    lead to them (a lambda that calls the metric itself, for one); layers, helpers and all else that
    it holds are the same objects.

    Args:
        metric: What a task gave; it is left as it is.
        memo: What is copied already: what two metrics share, their copies share.

    Example:
        >>> copied = copy_metric(keras.metrics.MeanMetricWrapper(lambda y, p: y - p), {})
    """
    if id(metric) not in memo:
        memo[id(metric)] = copied = object.__new__(type(metric))
        for variable in metric.variables:  # known to the functions that hold them
            _copy(variable, memo)
        for name, value in vars(metric).items():
            object.__setattr__(copied, name, _copy(value, memo))  # past Keras, which would track it
    return memo[id(metric)]


def _copy(value: Any, memo: Memo) -> Any:
    """Return a copy of what holds a metric's state, and anything else as it is."""
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, keras.metrics.Metric):
        return copy_metric(value, memo)
    if isinstance(value, (dict, list, deque)):
        return _copy_container(value, memo)
    if isinstance(value, (FunctionType, partial)):
        return _copy_function(value, memo) if _leads_to_state(value, memo, set()) else value
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
    elif isinstance(value, deque):
        copied.clear()
        copied.extend(_copy(item, memo) for item in value)
    else:
        list.__setitem__(copied, slice(None), [_copy(item, memo) for item in value])
    if hasattr(value, "tracker"):
        copied.tracker = _copy(value.tracker, memo)
    return copied


def _leads_to_state(value: Any, memo: Memo, seen: set[int]) -> bool:
    """Return whether a function leads to a metric, or to a variable of one.

    Another stays what it is: what it closes over may be what a hook changes.
    """
    if id(value) in seen:
        return False
    seen.add(id(value))
    if id(value) in memo or isinstance(value, keras.metrics.Metric):
        return True
    return any(_leads_to_state(part, memo, seen) for part in _parts(value))


def _parts(value: Any) -> list[Any]:
    if isinstance(value, FunctionType):
        return [*map(_content, value.__closure__ or ()), value.__defaults__, value.__kwdefaults__]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple, deque)) else []


def _copy_function(value: Any, memo: Memo) -> Any:
    if isinstance(value, partial):
        function, positional = _copy(value.func, memo), _copy(value.args, memo)
        return partial(function, *positional, **_copy(value.keywords, memo))

    cells = [CellType() for _ in value.__closure__ or ()]
    copied = FunctionType(value.__code__, value.__globals__, value.__name__, None, tuple(cells))
    memo[id(value)] = copied  # before what it closes over: that may be the function itself
    for cell, original in zip(cells, value.__closure__ or (), strict=True):
        if (content := _content(original)) is not EMPTY:
            cell.cell_contents = _copy(content, memo)
    copied.__defaults__ = _copy(value.__defaults__, memo)
    copied.__kwdefaults__ = _copy(value.__kwdefaults__, memo)
    copied.__dict__.update(value.__dict__)
    return copied


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return EMPTY
