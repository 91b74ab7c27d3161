"""CentralStorage: what replicas assign, where all of them share one copy of every variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class CentralStorage(keras.StatelessScope):  # type: ignore[misc]
    """On one replica, keeps what is assigned to Keras variables until all replicas have run.

    Under a strategy such as CentralStorageStrategy a variable has one copy. TensorFlow refuses most
    assignments on a replica there, and adds up those of metrics, running totals included. So a
    replica computes on with values of its own, and what they mean together is assigned once:

    - a variable that replicas add up (of a metric) moves by the sum of what each would add;
    - any other floating one (moving statistics) by the mean over examples; equal values stay;
    - the rest (the state of a seed generator) is equal on all, and the first replica's is taken.

    A replica without examples of its own counts nowhere.

    Attributes:
        assigned: The variables, in the order in which they were assigned first.

    Example:
        >>> total = keras.Variable(1.0, aggregation="sum")
        >>> with CentralStorage() as state:
        ...     _ = total.assign_add(2.0)
        >>> float(total.value), [float(x) for x in state.movements(tf.ones([]), tf.ones([]))]
        (1.0, [2.0])
    """

    def __init__(self) -> None:
        super().__init__(collect_losses=True, initialize_variables=False)
        self.assigned: list[keras.Variable] = []

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        """What Keras calls where a variable is assigned."""
        variable, _ = update
        if id(variable) not in self.state_mapping:
            self.assigned.append(variable)
        super().add_update(update)

    def get_current_value(self, variable: keras.Variable) -> Any:
        """What Keras reads: the replica's own value, else the variable itself."""
        value = super().get_current_value(variable)
        return variable._value if value is None else value

    def movements(self, examples: tf.Tensor, share: tf.Tensor) -> list[tf.Tensor | None]:
        """What each of `assigned` moves by on this replica, to be summed over replicas.

        Args:
            examples: The replica's own, as `ReplicaBatch` has them.
            share: The same, of the whole batch.

        Returns:
            None for a variable that does not `move`.
        """
        return [
            self._movement(variable, examples, share) if _moves(variable) else None
            for variable in self.assigned
        ]

    def others(self) -> list[Any]:
        """The new values of what does not move, equal on all replicas; None for the rest."""
        values = [self.state_mapping[id(variable)] for variable in self.assigned]
        pairs = zip(self.assigned, values, strict=True)
        return [None if _moves(variable) else value for variable, value in pairs]

    def _movement(
        self, variable: keras.Variable, examples: tf.Tensor, share: tf.Tensor
    ) -> tf.Tensor:
        apart = self.state_mapping[id(variable)] - tf.convert_to_tensor(variable._value)
        if variable.aggregation != "sum":
            apart = apart * tf.cast(share, apart.dtype)
        # Chosen, not multiplied by 0: what an idle replica computes may be infinite.
        return tf.where(examples > 0.0, apart, tf.zeros_like(apart))


def _moves(variable: keras.Variable) -> bool:
    """Whether a variable's movements are added up over replicas."""
    dtype = tf.as_dtype(variable.dtype)
    aggregation = str(variable.aggregation)
    return aggregation == "sum" or (dtype.is_floating and aggregation != "only_first_replica")


def assign_central(
    variables: Sequence[keras.Variable],
    movements: Sequence[tf.Tensor | None],
    others: Sequence[tf.Tensor | None],
) -> None:
    """Outside of the replicas, assign what `CentralStorage` gave.

    Args:
        variables: Its `assigned`.
        movements: Summed over replicas.
        others: Of any replica.
    """
    for variable, movement, other in zip(variables, movements, others, strict=True):
        if movement is None:
            variable._value.assign(other)
        else:
            variable._value.assign_add(movement)
