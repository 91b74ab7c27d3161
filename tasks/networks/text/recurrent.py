"""Recurrent networks over words."""

from collections.abc import Callable
from typing import Any

import keras

from lightning_tf.tasks.networks.text.layers import BELOW_ALL, TextLayers

KINDS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def recurrent_text(kind: str, *, bidirectional: bool) -> Callable[[Any, int, TextLayers], Any]:
    """Make a network that reads word after word and takes each state's largest value in a text.

    Sources: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997,
    https://doi.org/10.1162/neco.1997.9.8.1735; Cho et al., "Learning Phrase Representations using
    RNN Encoder-Decoder for Statistical Machine Translation", 2014,
    https://arxiv.org/abs/1406.1078 (GRU); Schuster and Paliwal, "Bidirectional Recurrent Neural
    Networks", 1997, https://doi.org/10.1109/78.650093. The maximum over time instead of the last
    state, which learns faster from long texts, is from Lai, Xu, Liu and Zhao, "Recurrent
    Convolutional Neural Networks for Text Classification", 2015,
    https://doi.org/10.1609/aaai.v29i1.9513.

    Args:
        kind: lstm or gru.
        bidirectional: Whether a second layer reads from the end.

    Returns:
        A function from (numbers of shape (batch, length), num_classes, layers) to float32 logits
        of shape (batch, num_classes).
    """

    def network(numbers: Any, num_classes: int, layers: TextLayers) -> Any:
        x = layers.embedding(numbers)  # (batch, length, embedding_size)
        layer = KINDS[kind](layers.units, return_sequences=True)
        if bidirectional:
            x = keras.layers.Bidirectional(layer)(x, mask=_read_from_the_end(numbers))
        else:
            x = layer(x)  # without a mask: padding comes after all words

        # Padding gets a value below all states, so that it never is the maximum.
        is_word = layers.is_word(numbers, x)
        x = keras.ops.max(x * is_word + BELOW_ALL * (1.0 - is_word), axis=1, keepdims=True)
        return layers.logits(layers.without_length(x), num_classes)

    return network


def _read_from_the_end(numbers: Any) -> Any:
    """Return what a layer reads that begins at the end, boolean of shape (batch, length).

    Of a text without a word it is the first padding: cuDNN refuses a text that is masked whole.
    """
    first = keras.ops.ones_like(numbers[:, :1], dtype="bool")
    return keras.ops.concatenate([first, numbers[:, 1:] != 0], axis=1)
