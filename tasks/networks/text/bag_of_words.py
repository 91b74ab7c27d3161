"""Bag of words."""

from typing import Any

import keras

from lightning_tf.tasks.networks.text.layers import TextLayers


def bag_of_words(numbers: Any, num_classes: int, layers: TextLayers) -> Any:
    """Average the vectors of all words, whatever their order, and weigh the mean.

    Source: Joulin, Grave, Bojanowski and Mikolov, "Bag of Tricks for Efficient Text
    Classification", 2016, https://arxiv.org/abs/1607.01759 (fastText). Dropout is not the paper's.

    Args:
        numbers: Int32 of shape (batch, length), 0 at padding.
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    # In float32: bfloat16 counts to 256 only, and texts have more words.
    x = layers.embedding(numbers, dtype="float32")
    is_word = layers.is_word(numbers, x)
    words = keras.ops.sum(is_word, axis=1, keepdims=True)  # (batch, 1, 1)
    x = keras.ops.sum(x * is_word, axis=1, keepdims=True) / keras.ops.maximum(words, 1.0)
    return layers.logits(layers.without_length(x), num_classes)
