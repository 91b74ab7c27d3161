"""What of a batch can be copied ahead to a GPU, and as what."""

from typing import Any

import tensorflow as tf

MOVABLE = {
    *(tf.float16, tf.bfloat16, tf.float32, tf.float64),
    *(tf.bool, tf.uint8, tf.int8, tf.int32, tf.int64),
}


def moved_spec(device: str | None, element_spec: Any) -> Any:
    """Return the spec of batches that are copied ahead; that of the pipeline where none are.

    TensorFlow keeps int32 on the host beside a GPU: such parts, as labels are, travel as int64.
    Strings have no place there, and batches that hold them are not copied ahead.

    Args:
        device: Such as ``/GPU:0``; None copies nothing.
        element_spec: Of the pipeline's batches.
    """
    if device is None or not can_move(element_spec):
        return element_spec
    return tf.nest.map_structure(
        lambda s: tf.TensorSpec(s.shape, tf.int64) if s.dtype == tf.int32 else s, element_spec
    )


def can_move(element_spec: Any) -> bool:
    """Return whether batches can be copied to a GPU ahead of their steps."""
    return all(
        isinstance(spec, tf.TensorSpec) and spec.dtype in MOVABLE
        for spec in tf.nest.flatten(element_spec)
    )


def cast_to(element_spec: Any, batch: Any) -> Any:
    """Return a batch whose tensors have the dtypes of a spec; others than these stay as they are.

    Args:
        element_spec: As the pipeline, or what is copied ahead, has it.
        batch: Of the same structure.
    """
    return tf.nest.map_structure(
        lambda spec, part: (
            tf.cast(part, spec.dtype)
            if isinstance(spec, tf.TensorSpec) and part.dtype != spec.dtype
            else part
        ),
        element_spec,
        batch,
    )
