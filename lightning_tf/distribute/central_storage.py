"""CentralStorage: the assignments of replicas that share one copy of every variable."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.keras_internals import wrapped_variable


class CentralStorage(keras.StatelessScope):  # type: ignore[misc]
    """Assignments to Keras variables on one replica, kept until all replicas have run.

    Under a strategy such as CentralStorageStrategy a variable has one copy. TensorFlow refuses most
    assignments on a replica there, and adds up those of metrics, running totals included. So a
    replica goes on with its own values, and their combination is assigned once:

    - a variable that replicas add up (of a metric) moves by the sum of what each would add;
    - any other floating one (moving statistics) by the mean over examples; equal values stay;
    - the rest (the state of a seed generator) is equal on all, and the first replica's is taken.

    A replica without examples of its own counts nowhere.

    Attributes:
        assigned: The variables, in the order in which they were assigned first.

    Example:
        >>> total = keras.Variable(1.0, aggregation="sum")
        >>> with CentralStorage() as storage:
        ...     _ = total.assign_add(2.0)
        >>> float(total.value), [float(x) for x in storage.movements(tf.ones([]), tf.ones([]))]
        (1.0, [2.0])
    """

    def __init__(self) -> None:
        super().__init__(collect_losses=True, initialize_variables=False)
        self.assigned: list[keras.Variable] = []

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        """Keep the new value of a variable; Keras calls this where one is assigned."""
        variable, _ = update
        if id(variable) not in self.state_mapping:
            self.assigned.append(variable)
        super().add_update(update)

    def get_current_value(self, variable: keras.Variable) -> Any:
        """Return what Keras reads: the value assigned on this replica, else the variable's."""
        value = super().get_current_value(variable)
        return wrapped_variable(variable) if value is None else value

    def movements(self, examples: tf.Tensor, fraction: tf.Tensor) -> list[tf.Tensor | None]:
        """Return what each of `assigned` moves by on this replica, to be reduced over replicas.

        Args:
            examples: Of this replica, as `ReplicaBatch` counts them.
            fraction: These over the examples of the whole batch.

        Returns:
            None for a variable that does not `move`.
        """
        return [
            self._movement(variable, examples, fraction) if _moves(variable) else None
            for variable in self.assigned
        ]

    def others(self) -> list[Any]:
        """Return the new values of what does not move, equal on all replicas; None for the rest."""
        values = [self.state_mapping[id(variable)] for variable in self.assigned]
        pairs = zip(self.assigned, values, strict=True)
        return [None if _moves(variable) else value for variable, value in pairs]

    def _movement(
        self, variable: keras.Variable, examples: tf.Tensor, fraction: tf.Tensor
    ) -> tf.Tensor:
        # The movement alone: a sum of whole values would count the shared one for each replica.
        movement = self.state_mapping[id(variable)] - tf.convert_to_tensor(
            wrapped_variable(variable)
        )
        if variable.aggregation != "sum":
            movement = movement * tf.cast(fraction, movement.dtype)
        # Chosen, not multiplied by 0: what an idle replica computes may be infinite.
        return tf.where(examples > 0.0, movement, tf.zeros_like(movement))


def _moves(variable: keras.Variable) -> bool:
    """Return whether a variable's movements are added up over replicas."""
    dtype = tf.as_dtype(variable.dtype)
    aggregation = str(variable.aggregation)
    return aggregation == "sum" or (dtype.is_floating and aggregation != "only_first_replica")


def assign_central(
    variables: Sequence[keras.Variable],
    movements: Sequence[tf.Tensor | None],
    others: Sequence[tf.Tensor | None],
) -> None:
    """Assign what `CentralStorage` gave, outside of the replicas.

    Args:
        variables: Its `assigned`.
        movements: Reduced over replicas.
        others: Of any replica.
    """
    for variable, movement, other in zip(variables, movements, others, strict=True):
        if movement is None:
            wrapped_variable(variable).assign(other)
        else:
            wrapped_variable(variable).assign_add(movement)
