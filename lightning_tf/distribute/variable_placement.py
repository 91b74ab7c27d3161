"""Variables and the strategy they live under: which it is, and how they move to a run's.

A variable knows the strategy in whose scope it was made. Models, metrics and optimizers that were
made before the Trainer, or that another Trainer has trained elsewhere, move with their values.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from lightning_tf import keras_internals
from lightning_tf.exceptions import ConfigurationError


def get_variable_strategy(variable: Any) -> tf.distribute.Strategy | None:
    """Return the strategy whose scope a variable was made in, or None where it is a plain one.

    Args:
        variable: Of Keras or TensorFlow.
    """
    variable = keras_internals.wrapped_variable(variable)
    # Copies on replicas, or one copy that updates of all replicas reach through the strategy.
    return getattr(variable, "distribute_strategy", None)


def move_variables(variables: Mapping[str, Any]) -> bool:
    """Move variables to the current strategy or device, with the values that they have.

    A model that was made before the Trainer lies on the device that was there by default; a step
    on another one would fetch each of its variables from there.

    Args:
        variables: Keras variables, by names for messages; TensorFlow's own cannot move: they must
            be in the current strategy already, and stay on their device.

    Returns:
        Whether any has moved.

    Raises:
        ConfigurationError: A TensorFlow variable was made elsewhere.
    """
    current = _current_strategy()
    elsewhere = {
        name: variable
        for name, variable in variables.items()
        if get_variable_strategy(variable) is not current
    }
    if current is None:
        elsewhere |= _on_other_devices(variables)

    # All are looked at before any moves.
    for name, variable in elsewhere.items():
        if not isinstance(variable, keras.Variable):
            raise ConfigurationError(
                f"variable {name!r} was made under other devices than this Trainer's and cannot "
                "move; make it in configure_model, or as a keras.Variable."
            )

    for variable in elsewhere.values():
        value = keras_internals.wrapped_variable(variable)
        strategy = get_variable_strategy(variable)
        if strategy is not None:  # one copy: reading the whole is refused in another's scope
            value = strategy.experimental_local_results(value)[0]
        keras_internals.initialize_again(variable, value.numpy())
    return bool(elsewhere)


def move_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Move an optimizer, with its slots where it has any, to the current strategy."""
    move_variables({f"{i}": variable for i, variable in enumerate(optimizer.variables)})
    keras_internals.move_optimizer(optimizer)


def drop_compiled_functions(layers: Iterable[keras.Layer]) -> None:
    """Drop the functions that Keras has compiled for models, so that it traces them again.

    They hold the variables that were there when they were traced.
    """
    for layer in layers:
        for model in keras_internals.flat_layers(layer):
            if isinstance(model, keras.Model):
                model.train_function = model.test_function = model.predict_function = None


def _on_other_devices(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Keras variables that would not be made where they lie."""
    devices: dict[Any, str] = {}  # by dtype: integers may have no place on a GPU

    def here(dtype: Any) -> str:
        if dtype not in devices:
            devices[dtype] = tf.Variable(tf.zeros([], dtype), trainable=False).device
        return devices[dtype]

    plain = {n: v for n, v in variables.items() if get_variable_strategy(v) is None}
    values = {n: (v, keras_internals.wrapped_variable(v)) for n, v in plain.items()}
    return {
        name: variable
        for name, (variable, value) in values.items()
        if isinstance(variable, keras.Variable) and value.device != here(value.dtype)
    }


def _current_strategy() -> tf.distribute.Strategy | None:
    if not tf.distribute.has_strategy():
        return None
    return get_variable_strategy(
        tf.Variable(0.0, trainable=False)
    )  # a strategy of one device has plain ones
