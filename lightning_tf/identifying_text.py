"""A text that tells a value, which is no plain data, from others of its type."""

from __future__ import annotations

import enum
import functools
import hashlib
import os
from typing import Any

import numpy as np
import tensorflow as tf

SAMPLE = 4096  # values of an array, evenly spread


def identifying_text(value: Any) -> str | None:
    """Return a text that is the same for equal values in every process; None where there is none.

    Example:
        >>> identifying_text(range(3)), identifying_text(tf.float32), identifying_text(len)
        ('range(0, 3)', 'float32', 'len')
    """
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, os.PathLike):
        return os.fspath(value) if isinstance(os.fspath(value), str) else repr(os.fspath(value))
    if isinstance(value, (set, frozenset)):
        return f"[{', '.join(sorted(map(_text, value)))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(k)}: {_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, (bytes, complex, range)):
        return repr(value)
    if isinstance(value, tf.DType):
        return str(value.name)
    if isinstance(value, functools.partial):
        arguments = [
            *map(_text, value.args),
            *(f"{k}={_text(v)}" for k, v in value.keywords.items()),
        ]
        return f"{_text(value.func)}, {', '.join(arguments)}"
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):  # not one of a graph
        value = np.asarray(value.numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        return _array_text(np.asarray(value))
    name = getattr(value, "__qualname__", None)  # of functions and classes
    return name if isinstance(name, str) else None


def _text(value: Any) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    return identifying_text(value) or type(value).__qualname__


def _array_text(array: np.ndarray) -> str:
    sample = array.ravel()[:: max(1, -(-array.size // SAMPLE))]
    content = (
        repr(sample.tolist()) if array.dtype.hasobject else np.ascontiguousarray(sample).tobytes()
    )
    raw = content.encode() if isinstance(content, str) else content
    return f"{array.dtype} {array.shape} {hashlib.sha256(raw).hexdigest()[:12]}"
