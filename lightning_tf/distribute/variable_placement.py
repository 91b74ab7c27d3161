"""Where variables live, under a strategy or under none, and how they move to where a run is.

A variable knows the strategy in whose scope it was made. Models, metrics and optimizers that were
made before the Trainer, or that another Trainer has trained elsewhere, move with their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.variables import tensorflow_variable


def home_of(variable: Any) -> tf.distribute.Strategy | None:
    """The strategy whose scope a variable was made in, or None where it is a plain one.

    Args:
        variable: Of Keras or TensorFlow.
    """
    variable = tensorflow_variable(variable)
    # Copies on replicas, or one copy that updates of all replicas reach through the strategy.
    return getattr(variable, "distribute_strategy", None)


def move_here(variables: Mapping[str, Any]) -> bool:
    """Make variables live in the scope that is current, with the values that they have.

    Args:
        variables: Keras variables, by names for messages; TensorFlow's own, which cannot move,
            must be here already.

    Returns:
        Whether any has moved.

    Raises:
        ConfigurationError: A TensorFlow variable was made elsewhere.
    """
    here = _here()
    strangers = {name: v for name, v in variables.items() if home_of(v) is not here}
    for name, variable in strangers.items():
        if not isinstance(variable, keras.Variable):
            raise ConfigurationError(
                f"variable {name!r} was made under other devices than this Trainer's and cannot "
                "move; make it in configure_model, or as a keras.Variable."
            )
    for variable in strangers.values():
        value = variable._value
        home = home_of(variable)
        if home is not None:  # a copy, as reading the whole is refused in another's scope
            value = home.experimental_local_results(value)[0]
        variable._initialize(value.numpy())  # Keras' own way to make what it wraps
    return bool(strangers)


def move_optimizer_here(optimizer: keras.optimizers.Optimizer) -> None:
    """Make an optimizer, with its slots where it has any, live in the scope that is current."""
    move_here({f"{i}": variable for i, variable in enumerate(optimizer.variables)})
    optimizer._distribution_strategy = tf.distribute.get_strategy()
    if optimizer.built:  # it finds its slots by what the model's variables wrap, which has moved
        optimizer._trainable_variables_indices = {
            optimizer._var_key(variable): i
            for i, variable in enumerate(optimizer._trainable_variables)
        }


def forget_compiled(layers: Iterable[keras.Layer]) -> None:
    """Make models that Keras has compiled functions for trace them anew.

    The functions hold the variables that were there when they were traced.
    """
    for layer in layers:
        for part in layer._flatten_layers():
            if isinstance(part, keras.Model):
                part.train_function = part.test_function = part.predict_function = None


def _here() -> tf.distribute.Strategy | None:
    if not tf.distribute.has_strategy():
        return None
    return home_of(tf.Variable(0.0, trainable=False))  # a strategy of one device has plain ones
