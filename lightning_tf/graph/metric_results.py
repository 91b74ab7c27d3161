"""What a metric's result may be, and the scalars that come of it."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError

# Their numbers may lie beyond those that float32 holds exactly.
WIDE = {tf.float64, tf.int32, tf.int64, tf.uint32, tf.uint64}


def metric_scalars(name: str, result: Any) -> dict[str, tf.Tensor]:
    """Return a metric's result as scalars by name; one for each element where it has several.

    Args:
        name: The metric's.
        result: What it gave: a number, a tensor of known shape, or a dict of them.

    Returns:
        Float32 scalars; float64 where a float32 would round integers or a float64.

    Raises:
        ConfigurationError: It is something else, or holds no value.
    """
    if not isinstance(result, Mapping):
        return _elements(name, name, result)
    if not result:
        raise _refusal(name, "an empty dict")

    scalars: dict[str, tf.Tensor] = {}
    for key, value in result.items():
        if not isinstance(key, str):
            raise _refusal(name, f"a dict with the key {key!r}, which is no text")
        for each, scalar in _elements(name, key, value).items():
            if each in scalars:
                raise _refusal(name, f"two values called {each!r}")
            scalars[each] = scalar
    return scalars


def stack_scalars(scalars: list[tf.Tensor]) -> tf.Tensor:
    """Return scalars as one vector, of float32 where that rounds none of them."""
    dtype = tf.float64 if any(s.dtype == tf.float64 for s in scalars) else tf.float32
    return tf.stack([tf.cast(s, dtype) for s in scalars] or [tf.zeros([])])  # (scalars,)


def _elements(name: str, key: str, value: Any) -> dict[str, tf.Tensor]:
    tensor = _numbers(name, key, value)
    count = tensor.shape.num_elements()
    if count is None:
        raise _refusal(name, f"a tensor of unknown shape {tensor.shape} for {key!r}")
    if count == 0:
        raise _refusal(name, f"an empty tensor of shape {tensor.shape} for {key!r}")
    if count == 1:
        return {key: tf.reshape(tensor, [])}
    flat = tf.reshape(tensor, [-1])  # (elements,): a score for each class, for one
    return {f"{key}_{index}": flat[index] for index in range(count)}


def _numbers(name: str, key: str, value: Any) -> tf.Tensor:
    """Return a value as a tensor of float32 or float64."""
    value = value.flat_values if isinstance(value, tf.RaggedTensor) else value
    try:
        tensor = None if value is None else tf.convert_to_tensor(value)
    except (TypeError, ValueError, tf.errors.OpError):
        tensor = None
    if tensor is None:
        raise _refusal(name, f"{value!r} for {key!r}")

    dtype = tensor.dtype
    if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
        raise _refusal(name, f"a tensor of {dtype.name} for {key!r}")
    return tf.cast(tensor, tf.float64 if dtype in WIDE else tf.float32)


def _refusal(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"the result of metric {name!r} is {what}; return from `result` a real number, a tensor of "
        "them whose shape is known, or a dict of these by name."
    )
