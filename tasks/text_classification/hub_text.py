"""HubText: a SavedModel from strings to vectors, and a head, as a network for texts."""

from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import HubLayer, refuse_precision
from lightning_tf.tasks.networks.text.layers import TextLayers
from lightning_tf.tasks.text_classification.classifier import TextClassifier

VECTORS_RANK = 2


class HubText(TextClassifier):
    """A text embedding of TensorFlow Hub, such as nnlm-en-dim50, with a new head.

    The SavedModel takes strings of shape (batch,), splits them into words itself and gives one
    vector for each text. The head is a ReLU layer, a dropout and one linear layer, in float32.

    Args:
        handle: A folder with a SavedModel, or a URL of TensorFlow Hub.
        layers: Makes the head.
        trainable: Whether the weights that the SavedModel marks as trainable train.

    Attributes:
        embedding: The layer around the SavedModel, once `make_model` has loaded it.

    Example:
        >>> hub = HubText("models/nnlm", TextLayers(1, 1, 16, 0.5), trainable=True)
        >>> hub.make_model(num_classes=2).output_shape
        (None, 2)
    """

    embedding: HubLayer
    is_pretrained = True

    def __init__(self, handle: str, layers: TextLayers, *, trainable: bool) -> None:
        self.handle, self.layers, self.trainable = handle, layers, trainable

    def make_model(self, num_classes: int) -> keras.Model:
        """Load the SavedModel and put the head on it; runs in the strategy's scope.

        Raises:
            ConfigurationError: It cannot be loaded, gives no vectors for texts, or the run has
                another precision than float32.
        """
        refuse_precision(self.handle)
        self.embedding = HubLayer(self.handle, trainable=self.trainable, name="embedding")
        texts = keras.Input((), dtype="string", name="texts")  # (batch,)
        hidden = keras.layers.Dense(self.layers.units, activation="relu")
        hidden = hidden(self._vectors(texts))  # (batch, units)
        return keras.Model(texts, self.layers.logits(hidden, num_classes), name="hub_text")

    def export_resources(self) -> dict[str, Any]:
        """Return the SavedModel, which has tables of words."""
        return {"embedding": self.embedding.saved_model}

    def _vectors(self, texts: Any) -> Any:
        try:
            vectors = self.embedding(texts)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ConfigurationError(
                f"SavedModel {self.handle!r} cannot take strings of shape (batch,), which a text "
                f"embedding does: {error}"
            ) from error

        shape = getattr(vectors, "shape", None)
        is_vector = shape is not None and len(shape) == VECTORS_RANK and shape[-1] is not None
        if not is_vector or "float" not in str(vectors.dtype):
            name = type(vectors).__name__
            output = name if shape is None else f"{vectors.dtype} of shape {shape}"
            raise ConfigurationError(
                f"SavedModel {self.handle!r} gives {output} for texts of shape (None,); give a "
                "text embedding, which makes one vector of floats for each: (None, features)."
            )
        return vectors
