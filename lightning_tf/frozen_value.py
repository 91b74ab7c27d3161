"""freeze: a copy of a plain value that tells later whether the value has changed."""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, Enum)
COMPARED_BYTES = 2**24  # of an array; larger ones are compared by which object they are
COMPARED_ITEMS = 100_000  # of a list or dict; of larger ones, which object and how long
CONTAINERS = (dict, list, tuple, set, frozenset, deque)


class _Same:
    """An object that equals itself alone."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def freeze(value: Any) -> Any:
    """Return what equals later exactly where a value has stayed the same."""
    if isinstance(value, PLAIN):
        return type(value), value
    if isinstance(value, np.ndarray):
        content = value.tobytes() if value.nbytes <= COMPARED_BYTES else _Same(value)
        return value.shape, value.dtype.str, content
    if isinstance(value, CONTAINERS) and len(value) > COMPARED_ITEMS:
        return _Same(value), len(value)
    if isinstance(value, dict):
        return dict, [(key, freeze(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return type(value), [freeze(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return set, sorted(map(repr, value))
    return _Same(value)


def stands(read: Callable[[], Any], value: Any, frozen: Any) -> bool:
    """Return whether what is read equals what was kept of it."""
    now = read()
    return (now is value and isinstance(value, PLAIN)) or bool(freeze(now) == frozen)
