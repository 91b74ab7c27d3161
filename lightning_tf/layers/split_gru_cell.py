"""split_gates: Keras' GRU layers with a gradient that does not fill zeros around each gate."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from lightning_tf.keras_internals import change_class, flat_layers


class SplitGRUCell(keras.layers.GRUCell):  # type: ignore[misc]
    """Keras' GRUCell, which splits the projected state into gates instead of slicing it.

    The gradient of a slice is an array of zeros with the slice's gradient in it, of which the three
    gates' are added up; the gradient of a split puts them together. The numbers are Keras', bit by
    bit: each element of those sums has one term that is not zero.
    """

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        """Return the next state of a row of inputs (batch, features), twice, as Keras' cell."""
        if self.implementation == 1 or not self.reset_after:
            return super().call(inputs, states, training=training)

        before = states[0] if isinstance(states, (list, tuple)) else states  # (batch, units)
        if training and 0.0 < self.dropout < 1.0:
            inputs = inputs * self.get_dropout_mask(inputs)
        from_inputs = ops.matmul(inputs, self.kernel)  # (batch, 3 * units), as what follows
        from_state = ops.matmul(before, self.recurrent_kernel)
        if self.use_bias:
            biases = ops.split(self.bias, self.bias.shape[0], axis=0)
            of_inputs, of_state = (ops.squeeze(bias, axis=0) for bias in biases)
            # As Keras adds each: the first is fused with its product, which rounds bfloat16 once.
            from_inputs, from_state = ops.add(from_inputs, of_inputs), from_state + of_state

        x_update, x_reset, x_candidate = ops.split(from_inputs, 3, axis=-1)  # (batch, units) each
        h_update, h_reset, h_candidate = ops.split(from_state, 3, axis=-1)
        update = self.recurrent_activation(x_update + h_update)
        reset = self.recurrent_activation(x_reset + h_reset)
        candidate = self.activation(x_candidate + reset * h_candidate)

        state = update * before + (1 - update) * candidate
        return state, [state] if isinstance(states, (list, tuple)) else state


def split_gates(layers: Iterable[keras.Layer]) -> None:
    """Let the GRU layers in models and other layers split their gates, in place.

    Only the cell inside of `keras.layers.GRU`, which no file names: a saved model has Keras' layer.
    A cell of `keras.layers.RNN`, and those of subclasses, stay as they are.
    """
    for layer in (inner for outer in layers for inner in flat_layers(outer)):
        if type(layer) is keras.layers.GRU and type(layer.cell) is keras.layers.GRUCell:
            change_class(layer.cell, SplitGRUCell)
