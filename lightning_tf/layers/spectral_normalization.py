"""SpectralDense and SpectralConv2D: the kernel is divided by its largest singular value."""

from typing import Any

import keras
import tensorflow as tf

SMALLEST_NORM = 1e-12


class _SpectralKernel:
    """What both layers have in common: the kernel's singular vector, and the division."""

    # The vector follows from the kernel alone and so is the same on every replica.
    synchronized = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the left singular vector, one number for each output."""
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
        """Write every variable; Keras' layers would write those that they know alone."""
        keras.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Read what `save_own_variables` wrote."""
        keras.Layer.load_own_variables(self, store)

    def _normalize(self, kernel: Any, training: bool) -> Any:
        """Return the kernel over its largest singular value, by one step of power iteration."""
        # In float32 whatever the precision: a norm of many small squares needs the digits.
        matrix = tf.reshape(tf.cast(kernel, tf.float32), [-1, kernel.shape[-1]])  # (in, out)

        # Neither vector is differentiated, only the kernel between them.
        constant = tf.stop_gradient(matrix)  # (in, out)
        left = tf.convert_to_tensor(self.left)  # (out,)
        right = _unit(tf.linalg.matvec(constant, left))  # (in,)
        if training:
            left = _unit(tf.linalg.matvec(constant, right, transpose_a=True))  # (out,)
            self.left.assign(left)

        largest = tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)  # ()
        return kernel / tf.cast(largest, kernel.dtype)

    def _finish(self, outputs: Any) -> Any:
        """Add the bias and activate, as Keras' layers do after their kernel."""
        if self.bias is not None:  # type: ignore[attr-defined]
            outputs = outputs + self.bias  # type: ignore[attr-defined]
        return outputs if self.activation is None else self.activation(outputs)  # type: ignore[attr-defined]


@keras.saving.register_keras_serializable("lightning_tf")
class SpectralDense(_SpectralKernel, keras.layers.Dense):  # type: ignore[misc]
    """Dense with spectral normalization.

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
        return self._finish(keras.ops.matmul(inputs, self._normalize(self.kernel, training)))


@keras.saving.register_keras_serializable("lightning_tf")
class SpectralConv2D(_SpectralKernel, keras.layers.Conv2D):  # type: ignore[misc]
    """Conv2D with spectral normalization of the kernel as a matrix; see `SpectralDense`.

    Args:
        filters: Outputs; all arguments are those of `keras.layers.Conv2D`.

    Example:
        >>> SpectralConv2D(8, 4, strides=2, padding="same")(np.zeros((1, 6, 6, 1), "float32")).shape
        TensorShape([1, 3, 3, 8])
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolve with the divided kernel; inputs of shape (batch, height, width, channels)."""
        return self._finish(self.convolution_op(inputs, self._normalize(self.kernel, training)))


def _unit(vector: Any) -> Any:
    """Return a vector of length 1."""
    return vector / (tf.norm(vector) + SMALLEST_NORM)
