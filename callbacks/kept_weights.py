"""KeptWeights: a second copy of a task's weights, to come back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.variables import all_variables, components

if TYPE_CHECKING:
    from lightning_tf.task import Task


class KeptWeights:
    """Copies of a task's weights, statistics of BatchNormalization included, on the device.

    The positions of seed generators are no weights: a run that comes back to earlier weights does
    not draw the same dropout masks again.

    Args:
        task: Whose models are built.

    Example:
        >>> best = KeptWeights(task)
        >>> best.keep()
        >>> best.put_back()
    """

    def __init__(self, task: Task) -> None:
        no_weights = {id(variable) for variable in _seeds(task)}
        found = all_variables(task).items()
        self.weights = {name: v for name, v in found if id(v) not in no_weights}
        self.copies = {
            name: tf.Variable(_value(variable), trainable=False)
            for name, variable in self.weights.items()
        }

    def keep(self) -> None:
        """Copy the weights as they are."""
        for name, variable in self.weights.items():
            self.copies[name].assign(_value(variable))

    def put_back(self) -> None:
        """Give the task the copies."""
        for name, variable in self.weights.items():
            variable.assign(tf.convert_to_tensor(self.copies[name]))


def _seeds(task: Task) -> list[Any]:
    found = []
    for _, component in components(task):
        if isinstance(component, keras.random.SeedGenerator):
            found.append(component.state)
        elif isinstance(component, keras.Layer):
            weights = {id(weight) for weight in component.weights}
            found += [v for v in component.variables if id(v) not in weights]
    return found


def _value(variable: Any) -> tf.Tensor:
    return tf.convert_to_tensor(
        variable.value if isinstance(variable, keras.Variable) else variable
    )
