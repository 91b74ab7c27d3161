"""SpectralDense and SpectralConv2D: the kernel is divided by its largest singular value."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

SMALLEST_NORM = 1e-12


class _SpectralKernel:
    """What both layers have in common: a vector, and the kernel divided by what it finds."""

    # The vector follows from the kernel alone and so is the same on every replica.
    synchronized = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the vector, one number for each output."""
        super().build(input_shape)  # type: ignore[misc]
        self.left = self.add_weight(  # type: ignore[attr-defined]
            shape=(self.kernel.shape[-1],),  # type: ignore[attr-defined]
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            dtype="float32",
            autocast=False,
            name="left",
        )

    def save_own_variables(self, store: Any) -> None:
        """Write every variable; Keras' layers write those that they know alone."""
        keras.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote."""
        keras.Layer.load_own_variables(self, store)

    def _divided(self, kernel: Any, training: bool) -> Any:
        """The kernel over its largest singular value, by one step of the power iteration."""
        matrix = tf.reshape(tf.cast(kernel, tf.float32), [-1, kernel.shape[-1]])
        values = tf.stop_gradient(matrix)
        left = tf.convert_to_tensor(self.left)
        right = _unit(tf.linalg.matvec(values, left))
        if training:
            left = _unit(tf.linalg.matvec(values, right, transpose_a=True))
            self.left.assign(left)
        # Neither vector is differentiated, the kernel between them is.
        largest = tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)
        return kernel / tf.cast(largest, kernel.dtype)


@keras.saving.register_keras_serializable("lightning_tf")
class SpectralDense(_SpectralKernel, keras.layers.Dense):  # type: ignore[misc]
    """Dense with spectral normalisation.

    The kernel is divided by its largest singular value, which a step of the power iteration
    follows at every call in training. keras.layers.SpectralNormalization overwrites the kernel
    instead, so that no gradient passes through the division and replicas cannot train it.

    Source: Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial
    Networks", 2018, https://arxiv.org/abs/1802.05957.

    Args:
        units: Outputs; all arguments are those of `keras.layers.Dense`.

    Example:
        >>> layer = SpectralDense(4)
        >>> for _ in range(30):
        ...     outputs = layer(np.eye(6, dtype="float32"), training=True)
        >>> round(float(np.linalg.norm(outputs - layer.bias, 2)), 3)
        1.0
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Multiply by the divided kernel; inputs of shape (batch, ..., features)."""
        outputs = keras.ops.matmul(inputs, self._divided(self.kernel, training))
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable("lightning_tf")
class SpectralConv2D(_SpectralKernel, keras.layers.Conv2D):  # type: ignore[misc]
    """Conv2D with spectral normalisation of the kernel as a matrix; see `SpectralDense`.

    Args:
        filters: Outputs; all arguments are those of `keras.layers.Conv2D`.

    Example:
        >>> SpectralConv2D(8, 4, strides=2, padding="same")(np.zeros((1, 6, 6, 1), "float32")).shape
        TensorShape([1, 3, 3, 8])
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolve with the divided kernel; inputs of shape (batch, height, width, channels)."""
        outputs = self.convolution_op(inputs, self._divided(self.kernel, training))
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)


def _unit(vector: Any) -> Any:
    return vector / (tf.norm(vector) + SMALLEST_NORM)
