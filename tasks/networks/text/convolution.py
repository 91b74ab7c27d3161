"""Convolution over words."""

from typing import Any

import keras

from lightning_tf.tasks.networks.text.layers import TextLayers

WIDTHS = (3, 4, 5)


def text_convolution(numbers: Any, num_classes: int, layers: TextLayers) -> Any:
    """Look for patterns of 3, 4 and 5 words and take the best match of each in a text.

    Source: Kim, "Convolutional Neural Networks for Sentence Classification", 2014,
    https://arxiv.org/abs/1408.5882, with word vectors that start at random (its CNN-rand).

    Args:
        numbers: Int32 of shape (batch, length), 0 at padding.
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    x = layers.embedding(numbers)  # (batch, length, embedding_size)
    is_word = layers.is_word(numbers, x)
    matches = [
        keras.layers.Conv1D(layers.units, width, padding="same", activation="relu")(x * is_word)
        for width in WIDTHS
    ]

    # No value after a ReLU is below 0, so that padding never is the best match.
    best = [keras.layers.GlobalMaxPooling1D()(part * is_word) for part in matches]
    return layers.logits(keras.layers.Concatenate()(best), num_classes)
