"""EmbeddingBag: the mean of words' vectors, without a vector for each word."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError


@keras.saving.register_keras_serializable("lightning_tf", name="EmbeddingBag")
class EmbeddingBag(keras.layers.Embedding):  # type: ignore[misc]
    """Averages the vectors of the numbers of each row; 0 is padding, and counts for nothing.

    An Embedding writes (batch, length, values) out, and so does its gradient; this sums while it
    looks up. The numbers are those of the mean of an Embedding's vectors but for the order of the
    sums. A row without a word gives zeros.

    Args:
        input_dim: Numbers are below it.
        output_dim: Values of a vector.
        **kwargs: As of `keras.layers.Embedding`.

    Raises:
        ConfigurationError: `mask_zero` is True.

    Example:
        >>> EmbeddingBag(10, 4)(keras.ops.array([[1, 2, 0], [3, 0, 0]])).shape
        TensorShape([2, 4])
    """

    def __init__(self, input_dim: int, output_dim: int, **kwargs: Any) -> None:
        if kwargs.pop("mask_zero", False):
            raise ConfigurationError(
                "mask_zero=True: padding is left out of the mean already, and there is no place "
                "left to mask; leave it out."
            )
        super().__init__(input_dim, output_dim, **kwargs)
        self.supports_jit = False  # XLA needs to know how many words there are

    def call(self, numbers: Any) -> Any:
        """Average the vectors.

        Args:
            numbers: Integers of shape (batch, length), 0 at padding.

        Returns:
            The means, of shape (batch, output_dim).
        """
        if numbers.dtype not in (tf.int32, tf.int64):
            numbers = keras.ops.cast(numbers, "int32")
        is_word = keras.ops.not_equal(numbers, 0)
        places = tf.where(is_word)  # (words, 2): row and place, in the order of rows
        sums = tf.sparse.segment_sum(
            tf.convert_to_tensor(self.embeddings),
            tf.gather_nd(numbers, places),
            places[:, 0],
            num_segments=keras.ops.shape(numbers)[0],
        )
        words = keras.ops.sum(keras.ops.cast(is_word, sums.dtype), axis=1, keepdims=True)
        return keras.ops.cast(sums / keras.ops.maximum(words, 1.0), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return (batch, output_dim)."""
        return (input_shape[0], self.output_dim)
