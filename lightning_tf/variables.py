"""The variables of a task: which there are, which train, and the stable name of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


def components(owner: object) -> Iterator[tuple[str, Any]]:
    """Yield the layers, variables and seed generators among an object's attributes.

    Args:
        owner: A task. Lists, tuples and dicts of components are entered; other objects are not.

    Yields:
        Pairs of a path such as ``model`` or ``heads.0`` and the component.
    """
    for name, value in vars(owner).items():
        yield from _walk(name, value)


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (keras.Layer, keras.Variable, tf.Variable, keras.random.SeedGenerator)):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(f"{path}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(f"{path}.{index}", item)


def _variables_of(component: Any) -> list[Any]:
    if isinstance(component, keras.Layer):
        return list(component.variables)
    if isinstance(component, keras.random.SeedGenerator):
        return [component.state]
    return [component]


def all_variables(owner: object) -> dict[str, Any]:
    """Every variable of a task, seed generators included, by a stable name.

    Keras numbers layers by how many the process has made before, so a path such as
    ``dense_1/kernel`` differs from one process to the next. The position inside its component and
    the variable's own name do not: ``model.0003.kernel``.

    Args:
        owner: A task.

    Returns:
        Names and variables; a variable that two components share appears once.
    """
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for path, component in components(owner):
        for index, variable in enumerate(_variables_of(component)):
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            found[f"{path}.{index:04d}.{variable.name.split(':')[0].split('/')[-1]}"] = variable
    return found


def named_weights(task: object) -> dict[str, Any]:
    """A task's variables under their names in a checkpoint."""
    return {f"task.{name}": variable for name, variable in all_variables(task).items()}


def tensorflow_variable(variable: Any) -> Any:
    """TensorFlow's variable inside one of Keras, past Keras' casts; TensorFlow's own as it is."""
    return variable._value if isinstance(variable, keras.Variable) else variable


def unbuilt_layers(owner: object) -> list[keras.Layer]:
    """The layers among an object's attributes that a first batch must build."""
    layers = [part for _, part in components(owner) if isinstance(part, keras.Layer)]
    return [layer for layer in layers if not layer.built]


def trainable_variables(owner: object) -> list[Any]:
    """The variables that train now, each once, in a stable order.

    Args:
        owner: A task, or one of its components (the attribute that an optimizer is named after).
    """
    return _unique(owner, _trainable_now)


def frozen_pattern(owner: object) -> tuple[int, ...]:
    """What of an owner trains now, to compare with later.

    Holds layers besides variables: freezing a BatchNormalization without scale and centre changes
    what it computes and no variable that trains.
    """
    layers = [part for _, part in components(owner) if isinstance(part, keras.Layer)]
    every = [layer for part in layers for layer in part._flatten_layers()]
    trained = (*trainable_variables(owner), *(layer for layer in every if layer.trainable))
    return tuple(id(part) for part in trained)


def optimizable_variables(owner: object) -> list[Any]:
    """The variables that train now or would once their layer is unfrozen.

    An optimizer is built over these, so that unfreezing keeps its slots.
    """
    return _unique(owner, _trainable_ever)


def _unique(owner: object, select: Any) -> list[Any]:
    parts = list(_walk("", owner)) or list(components(owner))
    found = {id(variable): variable for _, part in parts for variable in select(part)}
    return list(found.values())


def _trainable_now(component: Any) -> list[Any]:
    if isinstance(component, keras.Layer):
        return list(component.trainable_variables)
    if isinstance(component, keras.random.SeedGenerator):
        return []
    return [component] if component.trainable else []


def _trainable_ever(component: Any) -> list[Any]:
    if not isinstance(component, keras.Layer):
        return _trainable_now(component)
    # A frozen layer moves nothing: its weights stay in the list that Keras tracks as trainable.
    layers = [component, *component._flatten_layers(include_self=False)]
    ever = {id(variable) for layer in layers for variable in layer._trainable_variables}
    return [variable for variable in component.variables if id(variable) in ever]


def variable_value(variable: Any) -> tf.Tensor:
    """Return the value of a variable of Keras or TensorFlow as a tensor, past Keras' casts."""
    return tf.convert_to_tensor(
        variable.value if isinstance(variable, keras.Variable) else variable
    )
