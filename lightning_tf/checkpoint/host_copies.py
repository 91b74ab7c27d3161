"""HostCopies: variables of another device copied to host memory by one graph call."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.keras_internals import wrapped_variable
from lightning_tf.variables import device_copies

HOST = "/CPU:0"


class HostCopies:
    """Reads variables into host memory.

    Those of other devices come in one graph call, whose copies are under way together, where one
    read after the other would wait for the device once a variable. What lies on the host is handed
    out as it is: TensorFlow copies a variable before it updates one whose value somebody holds.

    Example:
        >>> copies = HostCopies()
        >>> {name: array.tolist() for name, array in copies({"a": tf.Variable([1.0])}).items()}
        {'a': [1.0]}
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._copy: Any = None  # traced for the variables of these handles

    def __call__(self, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return what variables hold now, by name; not to be written to."""
        away = {name: copy for name, v in variables.items() if (copy := _away(v)) is not None}
        copied = dict(zip(away, self._copies(list(away.values())), strict=True)) if away else {}
        return {
            name: as_array(copied[name] if name in copied else wrapped_variable(v).read_value())
            for name, v in variables.items()
        }

    def _copies(self, variables: list[tf.Variable]) -> list[tf.Tensor]:
        handles = [variable.handle for variable in variables]
        if self._copy is None or [*map(id, handles)] != [*map(id, self._handles)]:
            self._handles, self._copy = handles, tf.function(_copier(variables), autograph=False)
        return self._copy()  # type: ignore[no-any-return]


def as_array(tensor: tf.Tensor) -> np.ndarray:
    """Return a tensor of the host as an array that shares its memory; bfloat16 as float32."""
    # The file format has bfloat16; the reader for NumPy of safetensors 0.4.5 raises KeyError: BF16.
    if tensor.dtype == tf.bfloat16:
        tensor = tf.cast(tensor, tf.float32)
    return np.asarray(memoryview(tensor))  # tensor.numpy() would copy


def _away(variable: Any) -> tf.Variable | None:
    """Return the first copy of a variable that lies elsewhere than in host memory."""
    value = wrapped_variable(variable)
    if not isinstance(value, (tf.Variable, tf.distribute.DistributedValues)):
        return None  # values of all replicas, which are read together
    copy = device_copies(value)[0]
    return None if copy.device.endswith(HOST[1:]) else copy


def _copier(variables: list[tf.Variable]) -> Any:
    def copy() -> list[tf.Tensor]:
        values = []
        for variable in variables:
            with tf.device(variable.device):
                value = variable.read_value()
            with tf.device(HOST):
                values.append(tf.identity(value))
        return values

    return copy
