"""BuiltClassifier: a model built to the classes of its data, and what goes in and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

SMALLEST_PROBABILITY = 1e-7  # as Keras clips probabilities


@dataclass(frozen=True)
class BuiltClassifier:
    """A model that is ready to be called, which gives float32 logits whatever it ends in.

    What a user names as `network` or `backbone` is checked in the task's constructor and built in
    `configure_model`, where shapes and classes are known: a classifier's `build` returns this.

    Attributes:
        model: Gives (batch, classes).
        probabilities: Whether the model ends in a softmax; otherwise it gives logits.
    """

    model: keras.Model
    probabilities: bool = False

    def inputs(self, examples: Any) -> Any:
        """Return what the model takes."""
        return examples

    def logits(self, examples: Any, training: bool) -> tf.Tensor:
        """Return float32 logits, shape (batch, classes).

        Probabilities become their logarithms, whose softmax is the same probabilities.
        """
        outputs = tf.cast(self.model(self.inputs(examples), training=training), tf.float32)
        if self.probabilities:
            return tf.math.log(tf.maximum(outputs, SMALLEST_PROBABILITY))
        return outputs


def gives_probabilities(model: keras.Model) -> bool:
    """Return whether a Sequential or Functional model ends in a softmax; False for others."""
    outputs = model.outputs if getattr(model, "outputs", None) else []
    if isinstance(model, keras.Sequential) and model.layers:
        last: Any = model.layers[-1]
    elif len(outputs) == 1 and hasattr(outputs[0], "_keras_history"):
        last = outputs[0]._keras_history.operation
    else:
        return False

    if isinstance(last, keras.Model):
        return gives_probabilities(last)
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    return softmax or isinstance(last, keras.layers.Softmax)
