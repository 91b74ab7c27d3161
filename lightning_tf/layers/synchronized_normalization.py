"""normalize_over_replicas: batch normalization by the statistics of all replicas, in few passes."""

from typing import Any

import tensorflow as tf

from lightning_tf.layers.fused_inference import infer
from lightning_tf.tensorflow_internals import is_op_determinism_enabled


def normalize_over_replicas(
    x: Any, gamma: Any, beta: Any, epsilon: float, is_real: Any
) -> tuple[Any, Any, Any, Any]:
    """Normalize a replica's images by the mean and variance of all replicas' images.

    Called on every replica, whose gradients are summed by whoever takes them. Five operations read
    or write whole images, all in the images' dtype: the moments and the result forward, and three
    backward; between them one exchange of three numbers a channel and replica, and backward one of
    two a channel.

    Args:
        x: Images of float32, bfloat16 or float16, of shape (batch, height, width, channels).
        gamma: Scale of float32, (channels,).
        beta: Offset of float32, (channels,).
        epsilon: Added to the variance.
        is_real: 1.0, or 0.0 on a replica whose images only stand in.

    Returns:
        The normalized images, then mean, variance and the count of pixels of all replicas.
    """
    means, squares, counts = tf.unstack(_gather_moments(x, is_real), axis=1)  # (replicas, channels)
    count = tf.reduce_sum(counts, 0)  # (channels,)
    center = tf.math.divide_no_nan(tf.reduce_sum(means * counts, 0), count)

    # Around the mean of all: sums of squares lose their digits where it is large against the
    # deviation, and so do gradients.
    offsets = means - center
    total = tf.reduce_sum(offsets * counts, 0)  # what rounding has left of 0
    total_of_squares = tf.reduce_sum(squares + tf.square(offsets) * counts, 0)
    sums = tf.stack([total, total_of_squares])  # (2, channels)

    total, total_of_squares = tf.unstack(_with_gradient(sums, x, center, epsilon, is_real))
    offset = tf.math.divide_no_nan(total, count)
    variance = tf.math.divide_no_nan(total_of_squares, count) - tf.square(offset)
    variance = tf.maximum(variance, 0.0)  # rounding can make it negative
    mean = center + offset
    return _apply(x, gamma, beta, mean, variance, epsilon), mean, variance, count


def _gather_moments(x: Any, is_real: Any) -> Any:
    """Return mean, sum of squares around it, and count of pixels: (replicas, 3, channels)."""
    x = tf.stop_gradient(x)
    pixels = is_real * tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)  # ()
    one = tf.ones(x.shape[-1:])
    batch = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=one, offset=tf.zeros_like(one), mean=[], variance=[]
    )
    # Of no pixel mean and variance are NaN, and of one the variance, which is over pixels - 1.
    mean = tf.math.multiply_no_nan(batch.batch_mean, tf.sign(pixels))
    squares = tf.math.multiply_no_nan(batch.batch_variance, tf.maximum(pixels - 1.0, 0.0))
    moments = tf.stack([mean, squares, pixels * one])  # (3, channels)

    # A sum to which each replica adds in its own place: the one exchange forward.
    context = tf.distribute.get_replica_context()
    place = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
    placed = tf.math.multiply_no_nan(moments, place[:, None, None])
    return context.all_reduce(tf.distribute.ReduceOp.SUM, placed)


def _with_gradient(sums: Any, x: Any, center: Any, epsilon: float, is_real: Any) -> Any:
    """Return the sums of all replicas' x - center and of its squares, differentiable for x."""
    context = tf.distribute.get_replica_context()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def differentiable(x: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            upstream = context.all_reduce(tf.distribute.ReduceOp.SUM, upstream)
            first, second = tf.unstack(upstream * is_real)
            # first + 2 (x - center) second; cuDNN takes no epsilon of 0
            one = tf.ones_like(center)
            return _apply(x, 2.0 * second, first, center, one - epsilon, epsilon)

        return tf.identity(sums), gradient

    return differentiable(x)


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
