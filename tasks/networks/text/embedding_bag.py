"""Bag of words by one operation."""

from typing import Any

from lightning_tf.layers.embedding_bag import EmbeddingBag
from lightning_tf.tasks.networks.text.layers import TextLayers


def embedding_bag(numbers: Any, num_classes: int, layers: TextLayers) -> Any:
    """Average the vectors of all words as `bag_of_words`, in half of its time on a CPU.

    The sums are rounded otherwise than those of `bag_of_words`, whose paper it follows.

    Args:
        numbers: Int32 or int64 of shape (batch, length), 0 at padding.
        num_classes: At least two.
        layers: Makes the layers.

    Returns:
        Float32 logits of shape (batch, num_classes).
    """
    bag = EmbeddingBag(layers.vocabulary_size, layers.embedding_size, dtype="float32")
    return layers.logits(bag(numbers), num_classes)
