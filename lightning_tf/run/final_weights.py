"""FinalWeights: what optimizers leave in the weights where a fit ends, such as their averages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lightning_tf.keras_internals import optimized_variables
from lightning_tf.variables import variable_value

if TYPE_CHECKING:
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer


class FinalWeights:
    """Finalizes weights at the end of a fit, as Keras does, and keeps those that were trained.

    A checkpoint that is written afterwards holds both: whoever takes its weights gets the final
    ones, and a resumed run goes on as if there had been no end. So does another fit, unless
    somebody has changed a weight in between.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Any, tf.Variable, tf.Variable]] = []  # variable, trained, final

    def put_in(self, optimizers: Iterable[NamedOptimizer]) -> None:
        """Call `finalize_variable_values` of the optimizers for which it does anything."""
        changing = [optimizer for optimizer in optimizers if optimizer.changes_final_values]
        variables = [v for named in changing for v in optimized_variables(named.optimizer)]
        # Copies on the device: nothing is read back to the host.
        trained = [tf.Variable(variable_value(v), trainable=False) for v in variables]
        for optimizer in changing:
            optimizer.finalize()

        final = [tf.Variable(variable_value(v), trainable=False) for v in variables]
        self._kept = list(zip(variables, trained, final, strict=True))

    def take_out(self) -> None:
        """Put the trained weights back, where the final ones still stand."""
        for variable, trained in self.trained():
            variable.assign(tf.convert_to_tensor(trained))
        self._kept = []

    def trained(self) -> list[tuple[Any, tf.Variable]]:
        """Return the variables that hold final values, each with the trained one."""
        in_place = all(
            bool(tf.reduce_all(tf.equal(variable_value(variable), final)))
            for variable, _, final in self._kept
        )
        return [(variable, trained) for variable, trained, _ in self._kept] if in_place else []
