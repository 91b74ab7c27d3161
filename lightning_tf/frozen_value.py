"""freeze: a copy of a plain value that tells later whether the value has changed."""

import sys
from array import array
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, Enum)
COMPARED_BYTES = 2**24  # of an array; larger ones are compared by which object they are
COMPARED_ITEMS = 100_000  # of a list or dict; of larger ones, which object and how long
BUFFERS = (bytearray, array, memoryview)
CONTAINERS = (dict, list, tuple, set, frozenset, deque, MappingProxyType, *BUFFERS)


class _Same:
    """An object that equals itself alone."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def freeze(value: Any) -> Any:
    """Return what equals later exactly where a value has stayed the same."""
    if isinstance(value, float):
        return type(value), float(value).hex()  # 0.0 is not -0.0, and NaN is NaN
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.nbytes <= COMPARED_BYTES else _Same(value)
        return value.shape, value.dtype.str, content
    if isinstance(value, BUFFERS):
        view = memoryview(value)
        content = view.tobytes() if view.nbytes <= COMPARED_BYTES else _Same(value)
        return type(value), view.format, view.shape, content
    if isinstance(value, CONTAINERS) and len(value) > COMPARED_ITEMS:
        return _Same(value), len(value)
    if isinstance(value, (dict, MappingProxyType)):
        return dict, [(key, freeze(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return type(value), [freeze(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return set, sorted(map(repr, value))
    if _is_table(value) and value.size <= COMPARED_ITEMS:
        columns = value.items() if value.ndim == 2 else [(value.name, value)]
        index = freeze(value.index.tolist())
        return type(value), index, [(name, freeze(each.tolist())) for name, each in columns]
    return _Same(value)


def _is_table(value: Any) -> bool:
    pandas = sys.modules.get("pandas")  # nobody has a table without it
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series))


def stands(read: Callable[[], Any], value: Any, frozen: Any) -> bool:
    """Return whether what is read equals what was kept of it."""
    now = read()
    if now is value:  # thousands are asked before each window: the common kinds first
        if isinstance(value, PLAIN):
            return True
        if type(value) is tuple and all(isinstance(item, PLAIN) for item in value):
            return True
    return bool(freeze(now) == frozen)
