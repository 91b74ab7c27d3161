"""Variables of a task: all of them by stable names, and those that train."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import (
    ever_trainable,
    flat_layers,
    tracked_metrics,
    wrapped_variable,
)

COMPONENTS = (
    keras.Layer,
    keras.Variable,
    tf.Variable,
    keras.random.SeedGenerator,
    tf.random.Generator,
    tf.Module,
)


OBSERVED = "observed_by_lightning_tf"
"""The name of variables that a step writes and a callback reads: no part of a run's state."""


def components(owner: object) -> Iterator[tuple[str, Any]]:
    """Yield the layers, variables and random generators among an object's attributes.

    Args:
        owner: A task. Lists, tuples and dicts of components are entered; other objects are not.

    Yields:
        Pairs of a path such as ``model`` or ``heads.0`` and the component.
    """
    yield from _attributes(owner, COMPONENTS)


def shown_components(owner: object) -> Iterator[tuple[str, Any]]:
    """Yield components as `components` does, without private names of what has a public one."""
    found = list(components(owner))
    public = {id(component) for path, component in found if not path.startswith("_")}
    for path, component in found:
        if not path.startswith("_") or id(component) not in public:
            yield path, component


def held_metrics(owner: object) -> dict[str, keras.metrics.Metric]:
    """Return the metrics among a task's attributes by path, but the current stage's."""
    found = _attributes(owner, keras.metrics.Metric)
    return {path: metric for path, metric in found if not path.startswith("_metrics.")}


def owned_metrics(owner: object) -> dict[int, keras.metrics.Metric]:
    """Return, by their ids, the metrics that an object's layers and models have as attributes.

    Args:
        owner: A task.
    """
    layers = [each for root in _layers(owner) for each in flat_layers(root)]
    return {id(metric): metric for layer in layers for metric in tracked_metrics(layer)}


def _attributes(owner: object, kinds: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(owner).items():
        yield from _walk(name, value, kinds)


def _walk(path: str, value: Any, kinds: Any = COMPONENTS) -> Iterator[tuple[str, Any]]:
    if isinstance(value, kinds):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            # Escaped: {"a.b": x} and {"a": {"b": x}}, {1: x} and {"1": x} are two names each.
            name = (
                key.replace("\\", "\\\\").replace(".", "\\.")
                if isinstance(key, str)
                else f"[{key!r}]"
            )
            yield from _walk(f"{path}.{name}", item, kinds)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(f"{path}.{index}", item, kinds)


def _variables_of(component: Any) -> list[Any]:
    if isinstance(component, keras.Layer):
        return [*component.variables, *_untracked(component)]
    if isinstance(component, tf.Module):
        return list(component.variables)
    if isinstance(component, (keras.random.SeedGenerator, tf.random.Generator)):
        return [component.state]
    return [component]


def _untracked(root: keras.Layer) -> Iterator[Any]:
    """Yield the variables among layers' attributes that Keras does not track.

    These are variables of TensorFlow, and what a layer took care not to have among its weights,
    such as the states of a stateful RNN and TensorFlow's generators.
    """
    tracked = {id(wrapped_variable(variable)) for variable in root.variables}
    for layer in flat_layers(root):
        for _, held in _attributes(layer, (keras.Variable, tf.Variable, tf.random.Generator)):
            variable = held.state if isinstance(held, tf.random.Generator) else held
            if id(wrapped_variable(variable)) not in tracked:
                tracked.add(id(wrapped_variable(variable)))
                yield variable


def all_variables(owner: object) -> dict[str, Any]:
    """Return every variable of a task, random generators included, by a stable name.

    Keras numbers layers by how many the process has made before, so a path such as
    ``dense_1/kernel`` differs from one process to the next. The position inside its component and
    the variable's own name do not: ``model.0003.kernel``.

    Args:
        owner: A task.

    Returns:
        Names and variables; a variable that two components share appears once.
    """
    variables: dict[str, Any] = {}
    seen: set[int] = set()  # ids: Keras' variables cannot be elements of a set
    for path, component in components(owner):
        for index, variable in enumerate(_variables_of(component)):
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            variables[f"{path}.{index:04d}.{short_name(variable)}"] = variable
    return variables


def short_name(variable: Any) -> str:
    """Return a variable's own name, the same in every process.

    Without its layer's, and without the number of one that was made without a name.
    """
    name = variable.name.split(":")[0].split("/")[-1]
    return "variable" if re.fullmatch(r"variable_\d+", name) else str(name)


def named_weights(task: Any) -> dict[str, Any]:
    """Return a task's variables by their names in a checkpoint."""
    constants = {id(variable) for variable in constant_variables(task)}
    named = all_variables(task).items()
    return {f"task.{name}": variable for name, variable in named if id(variable) not in constants}


def constant_variables(task: Any) -> list[Any]:
    """Return the variables that a task's `constant_variables` names or holds in layers."""
    return [v for component in task.constant_variables() for v in _variables_of(component)]


def unbuilt_layers(owner: object) -> list[keras.Layer]:
    """Return the layers among an object's attributes that a first batch must build."""
    return [layer for layer in _layers(owner) if not layer.built]


def trainable_variables(owner: object) -> list[Any]:
    """Return the variables that train now, each once, in a stable order.

    Args:
        owner: A task, or one of its components (the attribute that an optimizer is named after).
    """
    return _select(owner, _trainable_now)


def frozen_pattern(owner: object) -> tuple[int, ...]:
    """Return the ids of what trains now, to compare with later.

    Holds layers besides variables: freezing a BatchNormalization without scale and center changes
    what it computes and no variable that trains.
    """
    layers = [layer for root in _layers(owner) for layer in flat_layers(root)]
    trained = (*trainable_variables(owner), *(layer for layer in layers if layer.trainable))
    return tuple(id(each) for each in trained)


def _layers(owner: object) -> list[keras.Layer]:
    return [layer for _, layer in components(owner) if isinstance(layer, keras.Layer)]


def optimizable_variables(owner: object) -> list[Any]:
    """Return the variables that train now or would once their layer is unfrozen.

    An optimizer is built over these, so that unfreezing keeps its slots.
    """
    return _select(owner, _trainable_ever)


def _select(owner: object, select: Callable[[Any], list[Any]]) -> list[Any]:
    """Return the variables that `select` gives of each component, each once."""
    pairs = list(_walk("", owner)) or list(components(owner))  # a component itself, or a task
    unique = {id(variable): variable for _, component in pairs for variable in select(component)}
    return list(unique.values())


def _trainable_now(component: Any) -> list[Any]:
    if isinstance(component, (keras.Layer, tf.Module)):
        return list(component.trainable_variables)
    if isinstance(component, (keras.random.SeedGenerator, tf.random.Generator)):
        return []
    return [component] if component.trainable else []


def _trainable_ever(component: Any) -> list[Any]:
    if not isinstance(component, keras.Layer):
        return _trainable_now(component)

    # Freezing a layer moves nothing: its weights stay in the list that Keras tracks as trainable.
    layers = flat_layers(component)
    ever = {id(variable) for layer in layers for variable in ever_trainable(layer)}
    return [variable for variable in component.variables if id(variable) in ever]


def device_copies(variable: Any) -> tuple[tf.Variable, ...]:
    """Return TensorFlow's variables in one of Keras or TensorFlow: one, or one a replica here."""
    value = wrapped_variable(variable)
    if isinstance(value, tf.distribute.DistributedValues):
        return tuple(value.values)
    return (value,)


def variable_value(variable: Any) -> tf.Tensor:
    """Return the value of a variable of Keras or TensorFlow as a tensor, past Keras' casts."""
    return tf.convert_to_tensor(
        variable.value if isinstance(variable, keras.Variable) else variable
    )
