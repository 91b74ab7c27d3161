"""infer: TensorFlow's fused batch normalization with statistics that are given to it."""

from typing import Any

import tensorflow as tf


def infer(x: Any, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float) -> tf.Tensor:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset, in one pass over x.

    Args:
        x: Of float32, bfloat16 or float16, of shape (batch, height, width, channels).
        scale: Of float32, (channels,), as all that follow.
        offset: Added at the end.
        mean: Of x, or of others.
        variance: Likewise.
        epsilon: Added to the variance.
    """
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=False,
    ).y
