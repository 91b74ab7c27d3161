"""NearestUpsampling: images of twice the sides, every pixel four times."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("lightning_tf", name="NearestUpsampling")
class NearestUpsampling(keras.layers.Layer):  # type: ignore[misc]
    """Doubles height and width of (batch, height, width, channels), as `keras.layers.UpSampling2D`.

    The same numbers forward and backward. But Keras' layer computes the shapes of its results on
    the device: on a GPU every call waits twice forward and twice backward for these to be read.

    Args:
        **kwargs: As of `keras.layers.Layer`.

    Example:
        >>> NearestUpsampling()(keras.ops.ones((1, 4, 5, 3))).shape
        TensorShape([1, 8, 10, 3])
    """

    def call(self, images: Any) -> Any:
        """Repeat rows, then columns."""
        batch, height, width, channels = keras.ops.shape(images)  # numbers where they are known
        # One use of the images: their gradient is summed in the order of Keras' layer.
        rows = tf.broadcast_to(tf.expand_dims(images, 2), [batch, height, 2, width, channels])
        images = tf.reshape(rows, [batch, 2 * height, width, channels])
        columns = [batch, 2 * height, width, 2, channels]
        images = tf.broadcast_to(tf.expand_dims(images, 3), columns)
        return tf.reshape(images, [batch, 2 * height, 2 * width, channels])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape with height and width doubled."""
        batch, height, width, channels = input_shape
        double = [None if side is None else 2 * side for side in (height, width)]
        return (batch, *double, channels)
