"""HubText: a SavedModel from strings to vectors, and a head, as a network for texts."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import HubLayer, refuse_precision
from lightning_tf.tasks.networks.text.layers import TextLayers

VECTORS_RANK = 2


class HubText:
    """A text embedding of TensorFlow Hub, such as nnlm-en-dim50, with a new head.

    The SavedModel takes strings of shape (batch,), splits them into words itself and gives one
    vector for each text. The head is a ReLU layer, a dropout and one linear layer, in float32.

    Args:
        handle: A folder with a SavedModel, or a URL of TensorFlow Hub.
        layers: Makes the head.
        trainable: Whether the weights that the SavedModel marks as trainable train.

    Attributes:
        embedding: The layer around the SavedModel; None before `model`.

    Example:
        >>> hub = HubText("models/nnlm", TextLayers(1, 1, 16, 0.5), trainable=True)
        >>> hub.model(num_classes=2).output_shape
        (None, 2)
    """

    def __init__(self, handle: str, layers: TextLayers, *, trainable: bool) -> None:
        self.handle, self.layers, self.trainable = handle, layers, trainable
        self.embedding: HubLayer | None = None

    def model(self, num_classes: int) -> keras.Model:
        """Load the SavedModel and put the head on it; runs where it shall train.

        Raises:
            ConfigurationError: It cannot be loaded, gives no vectors for texts, or the run has
                another precision than float32.
        """
        refuse_precision(self.handle)
        layer = HubLayer(self.handle, trainable=self.trainable, name="embedding")
        texts = keras.Input((), dtype="string", name="texts")
        hidden = keras.layers.Dense(self.layers.units, activation="relu")(
            self._vectors(layer, texts)
        )
        self.embedding = layer
        return keras.Model(texts, self.layers.logits(hidden, num_classes), name="hub_text")

    def _vectors(self, layer: HubLayer, texts: Any) -> Any:
        try:
            given = layer(texts)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ConfigurationError(
                f"SavedModel {self.handle!r} cannot take strings of shape (batch,), which a text "
                f"embedding does: {error}"
            ) from error
        shape = getattr(given, "shape", None)
        is_vector = shape is not None and len(shape) == VECTORS_RANK and shape[-1] is not None
        if not is_vector or "float" not in str(given.dtype):
            what = type(given).__name__ if shape is None else f"{given.dtype} of shape {shape}"
            raise ConfigurationError(
                f"SavedModel {self.handle!r} gives {what} for texts of shape (None,); give a text "
                "embedding, which makes one vector of floats for each: (None, features)."
            )
        return given
