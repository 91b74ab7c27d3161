"""BuiltClassifier: a model built to the classes of its data, and what goes in and out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import producing_layer

SMALLEST_PROBABILITY = 1e-7  # as Keras clips probabilities
SET_IT_THERE = "the given network brings its own layers: set it there."


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
    elif len(outputs) == 1 and isinstance(outputs[0], keras.KerasTensor):
        last = producing_layer(outputs[0])
    else:
        return False

    if isinstance(last, keras.Model):
        return gives_probabilities(last)
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    return softmax or isinstance(last, keras.layers.Softmax)


def refuse_layer_options(
    options: Mapping[str, Any], defaults: Mapping[str, Any], remedy: str = SET_IT_THERE
) -> None:
    """Refuse options of a named network's layers for a network that brings its own.

    Args:
        options: What the user asked for.
        defaults: The options to be refused; a value that equals its default counts as left out.
        remedy: The end of the message.

    Raises:
        ConfigurationError: An option differs from its default.
    """
    for name, default in defaults.items():
        if options[name] != default:
            raise ConfigurationError(
                f"{name}={options[name]!r} is for the package's own networks; {remedy}"
            )
