"""TextLayers: what the networks for texts have in common."""

from typing import Any

import keras

from lightning_tf.checks import checked_fraction, checked_integer

BELOW_ALL = -1.0  # no output of an LSTM or a GRU is smaller


class TextLayers:
    """Makes the layers of a network that reads numbers of words.

    A text's result must not depend on how long the other texts of its batch are, so everything
    here leaves padding (the number 0) out.

    Args:
        vocabulary_size: Numbers are below it.
        embedding_size: Values for each word.
        units: Of the hidden layer: filters of a convolution, states of a recurrent layer.
        dropout: The rate before the logits, 0 <= dropout < 1.

    Raises:
        ConfigurationError: A size is no positive integer, or the rate is out of range.

    Example:
        >>> TextLayers(20_000, 64, 64, 0.5).embedding(keras.Input((None,), dtype="int32")).shape
        (None, None, 64)
    """

    def __init__(
        self, vocabulary_size: int, embedding_size: int, units: int, dropout: float
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.embedding_size = checked_integer("embedding_size", embedding_size, least=1)
        self.units = checked_integer("units", units, least=1)
        self.dropout = checked_fraction("dropout", dropout)

    def embedding(self, numbers: Any, *, dtype: str | None = None) -> Any:
        """Look up a vector for each word."""
        layer = keras.layers.Embedding(self.vocabulary_size, self.embedding_size, dtype=dtype)
        return layer(numbers)

    def is_word(self, numbers: Any, like: Any) -> Any:
        """Return 1 at words and 0 at padding, shape (batch, length, 1), dtype of `like`."""
        return keras.ops.cast(keras.ops.expand_dims(numbers != 0, -1), like.dtype)

    def without_length(self, x: Any) -> Any:
        """Return (batch, 1, values), reduced over the length with `keepdims`, as (batch, values).

        The gradient of a reduction without `keepdims` computes its shape on a GPU and waits for it.
        """
        return keras.ops.squeeze(x, axis=1)

    def logits(self, x: Any, num_classes: int) -> Any:
        """Drop values in training and finish with float32 logits, also under mixed precision."""
        if self.dropout:
            x = keras.layers.Dropout(self.dropout)(x)
        return keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
