"""Arrays in what a `state_dict` returns: they stand among a checkpoint's tensors."""

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf.variables import variable_value

PREFIX = "state."  # how the names of such tensors begin
PLACE = "__array__"  # the one key of what stands in an array's place


def take_arrays(owner: str, state: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a state with names in the places of its arrays, and copies of these by name.

    Args:
        owner: Whose state it is; the names begin with it.
        state: A nest of dicts and lists; arrays and tensors of numbers, with a dimension or more,
            are taken out, everything else stays.

    Example:
        >>> plain, arrays = take_arrays("task", {"seen": 3, "buffer": np.zeros((2, 4))})
        >>> plain, list(arrays)
        ({'seen': 3, 'buffer': {'__array__': 'state.task.buffer'}}, ['state.task.buffer'])
    """
    arrays: dict[str, np.ndarray] = {}

    def take(path: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: take(f"{path}.{key}", item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [take(f"{path}.{index}", item) for index, item in enumerate(value)]
        if not _is_array(value):
            return value
        name = re.sub(r"[^\w.]", "_", path)  # a key may hold whatever text
        while name in arrays:  # {"a.b": ...} beside {"a": {"b": ...}}
            name += "_"
        # Its own copy: the owner goes on writing while the checkpoint is written.
        host = value if isinstance(value, np.ndarray) else variable_value(value).numpy()
        array = np.array(host, order="C")
        arrays[name] = array if array.dtype.kind in "biuf" else array.astype(np.float32)  # bfloat16
        return {PLACE: name}

    return take(f"{PREFIX}{owner}", state), arrays


def put_arrays(state: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    """Return the state that `take_arrays` was given.

    Args:
        state: With names in the places of arrays.
        tensors: Of the checkpoint.
    """
    if isinstance(state, dict):
        if set(state) == {PLACE} and state[PLACE] in tensors:
            return np.array(tensors[state[PLACE]])  # writable
        return {key: put_arrays(item, tensors) for key, item in state.items()}
    if isinstance(state, list):
        return [put_arrays(item, tensors) for item in state]
    return state


def _is_array(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and value.dtype.kind in "biuf"
    if not isinstance(value, (tf.Tensor, tf.Variable, keras.Variable)):
        return False
    dtype = tf.as_dtype(value.dtype)
    return len(value.shape) > 0 and (dtype.is_floating or dtype.is_integer or dtype.is_bool)
