"""The networks for texts by their names."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from lightning_tf.tasks.networks.text.bag_of_words import bag_of_words
from lightning_tf.tasks.networks.text.convolution import text_convolution
from lightning_tf.tasks.networks.text.embedding_bag import embedding_bag
from lightning_tf.tasks.networks.text.layers import TextLayers
from lightning_tf.tasks.networks.text.recurrent import recurrent_text


class TextNetwork(NamedTuple):
    """One family: how it is built, and its defaults.

    Attributes:
        outputs: Makes logits from (numbers, num_classes, layers).
        max_length: Words of a text that are read; None reads all.
        dropout: The rate before the logits.
        learning_rate: Of Adam.
        ordered: Whether the order of words counts.
    """

    outputs: Callable[[Any, int, TextLayers], Any]
    max_length: int | None
    dropout: float
    learning_rate: float = 1e-3
    ordered: bool = True


TEXT_NETWORKS: dict[str, TextNetwork] = {
    "bag_of_words": TextNetwork(bag_of_words, None, 0.5, 5e-3, ordered=False),
    "embedding_bag": TextNetwork(embedding_bag, None, 0.5, 5e-3, ordered=False),
    "convolution": TextNetwork(text_convolution, 400, 0.5),
    "lstm": TextNetwork(recurrent_text("lstm", bidirectional=False), 250, 0.5),
    "gru": TextNetwork(recurrent_text("gru", bidirectional=False), 250, 0.5),
    "bidirectional_lstm": TextNetwork(recurrent_text("lstm", bidirectional=True), 250, 0.5),
    "bidirectional_gru": TextNetwork(recurrent_text("gru", bidirectional=True), 250, 0.5),
}


def build_text_network(name: str, num_classes: int, layers: TextLayers) -> keras.Model:
    """Build a classifier of texts.

    Args:
        name: A key of `TEXT_NETWORKS`.
        num_classes: How many classes.
        layers: Makes the layers.

    Returns:
        A Functional model: int32 (batch, length), 0 at padding, to float32 logits
        (batch, num_classes).

    Example:
        >>> build_text_network("gru", 2, TextLayers(1000, 16, 16, 0.5)).output_shape
        (None, 2)
    """
    numbers = keras.Input((None,), dtype="int32")
    # A GPU compares and reshapes int32 on the host, and would wait for that at each batch.
    wide = keras.ops.cast(numbers, "int64")
    return keras.Model(numbers, TEXT_NETWORKS[name].outputs(wide, num_classes, layers), name=name)
