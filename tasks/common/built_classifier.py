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
        sigmoid: Whether it ends in a sigmoid, where an example may have several labels.
    """

    model: keras.Model
    probabilities: bool = False
    sigmoid: bool = False

    @property
    def final_activation(self) -> str | None:
        """Return the activation that the model ends in, softmax or sigmoid; else None."""
        return "softmax" if self.probabilities else "sigmoid" if self.sigmoid else None

    def inputs(self, examples: Any) -> Any:
        """Return what the model takes."""
        return examples

    def logits(self, examples: Any, training: bool) -> tf.Tensor:
        """Return float32 logits, shape (batch, classes).

        Probabilities become their logarithms, whose softmax is the same probabilities, or of a
        sigmoid the logarithms of their odds.
        """
        outputs = tf.cast(self.model(self.inputs(examples), training=training), tf.float32)
        if self.probabilities:
            return tf.math.log(tf.maximum(outputs, SMALLEST_PROBABILITY))
        if self.sigmoid:
            outputs = tf.clip_by_value(outputs, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
            return tf.math.log(outputs) - tf.math.log1p(-outputs)
        return outputs


def gives_probabilities(model: keras.Model) -> bool:
    """Return whether a Sequential or Functional model ends in a softmax; False for others."""
    return ends_in(model, "softmax")


def ends_in(model: keras.Model, activation: str) -> bool:
    """Return whether a Sequential or Functional model ends in an activation; False for others."""
    outputs = model.outputs if getattr(model, "outputs", None) else []
    if isinstance(model, keras.Sequential) and model.layers:
        last: Any = model.layers[-1]
    elif len(outputs) == 1 and isinstance(outputs[0], keras.KerasTensor):
        last = producing_layer(outputs[0])
    else:
        return False

    if isinstance(last, keras.Model):
        return ends_in(last, activation)
    is_it = getattr(last, "activation", None) is getattr(keras.activations, activation)
    return is_it or (activation == "softmax" and isinstance(last, keras.layers.Softmax))


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
