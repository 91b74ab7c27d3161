"""FusedBatchNormalization: Keras' batch normalization on TensorFlow's fused operation."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.layers.fused_inference import infer
from lightning_tf.layers.synchronized_normalization import normalize_over_replicas
from lightning_tf.step_context import current_replica_batch
from lightning_tf.tensorflow_internals import is_op_determinism_enabled

# Below this cuDNN refuses the fused operation.
SMALLEST_FUSED_EPSILON = 1.001e-5
FUSED_DTYPES = ("float32", "bfloat16", "float16")


@keras.saving.register_keras_serializable("lightning_tf", name="FusedBatchNormalization")
class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization with the fused operation, exact over replicas.

    The weights, arguments, config and frozen behaviour (``trainable=False`` means the moving
    statistics) are those of `keras.layers.BatchNormalization`; outputs, gradients and moving
    statistics are equal to its own up to rounding. What differs:

    - Images, float of shape (batch, height, width, channels) with ``axis=-1``, go through
      TensorFlow's fused operation, which reads a bfloat16 or float16 image directly, while the
      statistics, gamma and beta stay float32. Other ranks, another axis, masks, ``renorm=True``,
      float64, an epsilon below 1.001e-5 and inference under deterministic operations go through
      Keras' computation.
    - `synchronized` is True by default: under a `tf.distribute` strategy with several replicas the
      mean and variance are those of all replicas' examples (and, with a mask, of all unmasked
      positions), also where the replicas hold different numbers of them, or none. The gradient
      passes through the sum over replicas, so each replica's loss must already carry its weight in
      the global loss before gradients are taken.
    - A batch of no examples leaves the moving statistics as they are instead of making them NaN.

    Files: `.weights.h5` files, and `model.load_weights("model.keras")`, work both ways between
    models that have this layer and models that have Keras'. `keras.saving.load_model` builds the
    layer that the file names; `fuse_batch_normalization` then swaps this one in. Where lightning_tf
    is not installed, Keras' layer stands in with ``custom_objects=
    {"lightning_tf>FusedBatchNormalization": keras.layers.BatchNormalization}``.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift", 2015, https://arxiv.org/abs/1502.03167.

    Args:
        axis: The channels' axis.
        momentum: The share of the old moving statistics that an update keeps.
        epsilon: Added to the variance.
        synchronized: False gives every replica the statistics of its own examples.
        **kwargs: The other arguments of `keras.layers.BatchNormalization`.

    Example:
        >>> import numpy as np
        >>> layer = FusedBatchNormalization()
        >>> images = np.random.default_rng(0).normal(5.0, 2.0, (8, 4, 4, 3)).astype("float32")
        >>> bool(abs(np.mean(layer(images, training=True))) < 1e-5)
        True
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        *,
        synchronized: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=axis, momentum=momentum, epsilon=epsilon, synchronized=synchronized, **kwargs
        )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize a batch and, in training, move the moving statistics.

        Args:
            inputs: Float, of any rank of at least two, channels on `axis`.
            training: Whether to use the batch's statistics; a frozen layer never does.
            mask: Boolean, the shape of `inputs` without channels; the statistics leave False out.

        Returns:
            The normalized batch, of the shape of `inputs`, in the layer's compute dtype.
        """
        training = bool(training and self.trainable)
        if training and self.synchronized and not self.renorm and _replicas() > 1:
            if mask is None and self._has_fused_dtype(inputs) and _is_last(self.axis, inputs):
                return self._normalize_fused_over_replicas(inputs)
            return self._normalize_over_replicas(inputs, mask)
        if mask is None and self._can_fuse(inputs, training):
            return self._normalize_fused(inputs, training)
        return super().call(inputs, training=training, mask=mask)

    def _can_fuse(self, inputs: Any, training: bool) -> bool:
        """Return whether TensorFlow's operation computes what Keras' layer would."""
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and not self.renorm
            and self._has_fused_dtype(inputs)
            # TensorFlow has no deterministic gradient of the operation's inference mode on a GPU.
            and (training or not is_op_determinism_enabled())
        )

    def _has_fused_dtype(self, inputs: Any) -> bool:
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        return dtype in FUSED_DTYPES and self.epsilon >= SMALLEST_FUSED_EPSILON

    def _normalize_fused(self, inputs: Any, training: bool) -> Any:
        x = tf.convert_to_tensor(inputs)  # (batch, height, width, channels), half precision too
        gamma, beta = self._scale_and_offset()  # (channels,) float32 each
        if not training:
            mean, variance = (
                tf.cast(moving, tf.float32) for moving in (self.moving_mean, self.moving_variance)
            )
            normalize = _float32_inference if x.dtype == tf.float32 else infer
            return tf.cast(
                normalize(x, gamma, beta, mean, variance, self.epsilon), self.compute_dtype
            )

        outputs = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=self.epsilon
        )
        # On the host, where shapes are: on a GPU each of these would be a launch. Sent as one.
        with tf.device("/CPU:0"):
            count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)  # () pixels of all images
            ratio = (count - 1.0) / tf.maximum(count, 1.0)
            numbers = tf.stack([ratio, *self._shares(count)])
        ratio, kept, added = tf.unstack(numbers)

        # The operation returns the variance over count - 1, of one pixel NaN; Keras keeps the one
        # over count.
        biased = tf.math.multiply_no_nan(outputs.batch_variance, ratio)  # (channels,)
        self._move_statistics(outputs.batch_mean, biased, (kept, added))
        return tf.cast(outputs.y, self.compute_dtype)

    def _normalize_fused_over_replicas(self, inputs: Any) -> Any:
        x = tf.convert_to_tensor(inputs)
        images = x if x.shape.rank == 4 else tf.reshape(x, [-1, 1, 1, x.shape[-1]])
        y, mean, variance, count = normalize_over_replicas(
            images,
            *self._scale_and_offset(),
            self.epsilon,
            _zero_where_idle(tf.float32),
        )
        self._move_statistics(mean, variance, self._shares(count[0]))
        return tf.cast(tf.reshape(y, tf.shape(x)), self.compute_dtype)

    def _normalize_over_replicas(self, inputs: Any, mask: Any) -> Any:
        x = tf.cast(inputs, tf.float64 if inputs.dtype == "float64" else tf.float32)
        weights = tf.ones_like(x) if mask is None else tf.cast(mask, x.dtype)[..., None]
        weights = tf.broadcast_to(weights, tf.shape(x)) * _zero_where_idle(x.dtype)
        x, weights = self._swap_channels(x), self._swap_channels(weights)  # (..., channels) each

        # Sums of squares lose digits where the mean is large against the deviation, so that x is
        # shifted first, by the mean of all.
        axes = list(range(len(x.shape) - 1))
        shift = _mean_over_replicas(tf.stop_gradient(x), weights, axes)  # (channels,)
        centered = (x - shift) * weights  # (..., channels)
        sums = tf.stack(  # (3, channels): one exchange between replicas
            [tf.reduce_sum(terms, axes) for terms in (centered, centered * (x - shift), weights)]
        )
        total, total_of_squares, count = tf.unstack(  # (channels,) each, of all replicas
            tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
        )

        offset = tf.math.divide_no_nan(total, count)  # (channels,)
        variance = tf.math.divide_no_nan(total_of_squares, count) - tf.square(offset)
        variance = tf.maximum(variance, 0.0)  # (channels,); rounding can make it negative
        mean = shift + offset  # (channels,)
        self._move_statistics(mean, variance, self._shares(count))

        gamma, beta = self._scale_and_offset(x.dtype)
        y = tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.epsilon)
        return tf.cast(self._swap_channels(y), self.compute_dtype)

    def _swap_channels(self, x: Any) -> Any:
        """Return `x` with the channels' axis and the last one exchanged, which undoes itself."""
        rank = len(x.shape)
        order = list(range(rank))
        order[self.axis], order[-1] = order[-1], order[self.axis]
        return x if order == list(range(rank)) else tf.transpose(x, order)

    def _scale_and_offset(self, dtype: Any = tf.float32) -> tuple[Any, Any]:
        shape = self.moving_mean.shape
        gamma = tf.cast(self.gamma, dtype) if self.scale else tf.ones(shape, dtype)  # (channels,)
        beta = tf.cast(self.beta, dtype) if self.center else tf.zeros(shape, dtype)  # (channels,)
        return gamma, beta

    def _move_statistics(self, mean: Any, variance: Any, shares: tuple[Any, Any]) -> None:
        """Move the moving statistics towards a batch's (channels,), by `_shares`."""
        kept, added = shares
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            # What nothing is taken of may be NaN.
            moving.assign(
                tf.cast(moving, batch.dtype) * kept + tf.math.multiply_no_nan(batch, added)
            )

    def _shares(self, count: Any) -> tuple[Any, Any]:
        """Return what is kept of the old statistics and taken of a batch's: all of no examples."""
        moves = count > 0.0
        kept = tf.where(moves, tf.constant(self.momentum, count.dtype), 1.0)
        return kept, tf.where(moves, tf.constant(1.0 - self.momentum, count.dtype), 0.0)


# Keras addresses a layer in a weights file by its class's name: this makes the files of both layers
# the same. `__qualname__`, which pickle and repr use, stays.
FusedBatchNormalization.__name__ = keras.layers.BatchNormalization.__name__


def _float32_inference(
    x: Any, gamma: Any, beta: Any, mean: Any, variance: Any, epsilon: float
) -> tf.Tensor:
    """Infer with a gradient in parts, of which a graph computes those that are asked for.

    The operation's own gradient always sums over the batch for gamma and beta, which a frozen layer
    does not want: fine-tuning behind frozen layers would be slower than with Keras' layer.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalize(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> Any:
        def gradient(dy: Any) -> Any:
            # dy, x: (batch, height, width, channels); all others (channels,)
            inverse_deviation = tf.math.rsqrt(variance + epsilon)
            dy_sum = tf.reduce_sum(dy, [0, 1, 2])
            centered_sum = tf.reduce_sum(dy * (x - mean), [0, 1, 2])
            scale = gamma * inverse_deviation
            return (
                dy * scale,
                centered_sum * inverse_deviation,
                dy_sum,
                -dy_sum * scale,
                -0.5 * centered_sum * scale * inverse_deviation**2,
            )

        return infer(x, gamma, beta, mean, variance, epsilon), gradient

    return normalize(x, gamma, beta, mean, variance)


def _is_last(axis: int, inputs: Any) -> bool:
    return axis in (-1, len(inputs.shape) - 1)


def _zero_where_idle(dtype: Any) -> Any:
    """Return 0 on a replica without examples, which computes with another's one; otherwise 1."""
    replica_batch = current_replica_batch()
    if replica_batch is None or not replica_batch.may_be_idle:
        return tf.ones([], dtype)
    return tf.cast(replica_batch.is_real, dtype)


def _replicas() -> int:
    """Return how many replicas compute together here."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def _mean_over_replicas(x: Any, weights: Any, axes: list[int]) -> Any:
    """Return the weighted mean of all replicas' values over `axes`, (channels,)."""
    sums = tf.stack([tf.reduce_sum(x * weights, axes), tf.reduce_sum(weights, axes)])
    sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums)
    return tf.math.divide_no_nan(sums[0], sums[1])
