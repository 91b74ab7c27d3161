"""normalize_over_replicas: batch normalization by the statistics of all replicas, in few passes."""

from typing import Any

import tensorflow as tf

from lightning_tf.layers.fused_inference import infer
from lightning_tf.tensorflow_internals import is_op_determinism_enabled


def normalize_over_replicas(
    x: Any, gamma: Any, beta: Any, shift: Any, epsilon: float, is_real: Any
) -> tuple[Any, Any, Any, Any]:
    """Normalize a replica's images by the mean and variance of all replicas' images.

    Called on every replica, whose gradients are summed by whoever takes them. Five operations read
    or write whole images, all in the images' dtype: the moments and the result forward, and three
    backward; between them one exchange of three numbers a channel, and backward one of two.

    Args:
        x: Images of float32, bfloat16 or float16, of shape (batch, height, width, channels).
        gamma: Scale of float32, (channels,).
        beta: Offset of float32, (channels,).
        shift: Near the mean, equal on all replicas, (channels,); squares keep their digits by it.
        epsilon: Added to the variance.
        is_real: 1.0, or 0.0 on a replica whose images only stand in.

    Returns:
        The normalized images, then mean, variance and the count of pixels of all replicas.
    """
    sums, pixels = _sums(x, shift, epsilon, is_real)  # (2, channels), ()
    counted = tf.concat([sums, [pixels * tf.ones_like(shift)]], 0)
    context = tf.distribute.get_replica_context()
    counted = context.all_reduce(tf.distribute.ReduceOp.SUM, counted)  # the one exchange forward
    total, total_of_squares, count = tf.unstack(counted)  # (channels,) each

    offset = tf.math.divide_no_nan(total, count)
    variance = tf.math.divide_no_nan(total_of_squares, count) - tf.square(offset)
    variance = tf.maximum(variance, 0.0)  # rounding can make it negative
    mean = shift + offset
    return _apply(x, gamma, beta, mean, variance, epsilon), mean, variance, count


def _sums(x: Any, shift: Any, epsilon: float, is_real: Any) -> tuple[Any, Any]:
    """Return a replica's sums of x - shift and of its squares, (2, channels), and of pixels, ()."""
    pixels = is_real * tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
    none, one = tf.zeros_like(shift), tf.ones_like(shift)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def sums(x: Any) -> Any:
        batch = tf.raw_ops.FusedBatchNormV3(x=x, scale=one, offset=none, mean=[], variance=[])

        # Of no pixel mean and variance are NaN, and of one the variance, which is over pixels - 1.
        offset = batch.batch_mean - shift  # (channels,)
        squares = tf.math.multiply_no_nan(batch.batch_variance, tf.maximum(pixels - 1.0, 0.0))
        squares += tf.math.multiply_no_nan(tf.square(offset), pixels)

        def gradient(upstream: Any) -> Any:
            first, second = tf.unstack(upstream * is_real)
            # first + 2 (x - shift) second; cuDNN takes no epsilon of 0
            return _apply(x, 2.0 * second, first, shift, one - epsilon, epsilon)

        return tf.stack([tf.math.multiply_no_nan(offset, pixels), squares]), gradient

    return sums(x), pixels


def _apply(x: Any, scale: Any, offset: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    """Infer with a gradient, and a second one, for the statistics too."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def apply(x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> Any:
        y = infer(x, scale, offset, mean, variance, epsilon)

        def gradient(dy: Any) -> Any:
            dx, d_scale, d_offset = _gradient_of_apply(dy, x, scale, mean, variance, epsilon)
            inverse = tf.math.rsqrt(variance + epsilon)  # (channels,)
            d_mean = -d_offset * scale * inverse
            return dx, d_scale, d_offset, d_mean, -0.5 * d_scale * scale * inverse**2

        return y, gradient

    return apply(x, scale, offset, mean, variance)


def _gradient_of_apply(
    dy: Any, x: Any, scale: Any, mean: Any, variance: Any, epsilon: float
) -> Any:
    """Return the gradients of `_apply` for x, scale and offset."""

    def in_parts(dy: Any, x: Any, scale: Any, mean: Any, variance: Any) -> tuple[Any, Any, Any]:
        inverse = tf.math.rsqrt(variance + epsilon)  # (channels,)
        wide, centered = tf.cast(dy, tf.float32), tf.cast(x, tf.float32) - mean
        d_scale = tf.reduce_sum(wide * centered, [0, 1, 2]) * inverse
        dx = tf.cast(wide * (scale * inverse), x.dtype)
        return dx, d_scale, tf.reduce_sum(wide, [0, 1, 2])

    # TensorFlow has no deterministic kernel of the operation's gradient on a GPU, and gives its
    # second derivative without what flows through mean and variance.
    if is_op_determinism_enabled():
        return in_parts(dy, x, scale, mean, variance)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def fused(*inputs: Any) -> Any:
        dy, x, scale, mean, variance = inputs
        gradients = tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=dy,
            x=x,
            scale=scale,
            reserve_space_1=mean,
            reserve_space_2=variance,
            reserve_space_3=[],
            epsilon=epsilon,
            is_training=False,
        )

        def gradient(*upstream: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                parts = in_parts(*inputs)
            return tape.gradient(parts, inputs, upstream)

        return (gradients.x_backprop, gradients.scale_backprop, gradients.offset_backprop), gradient

    return fused(dy, x, scale, mean, variance)
