"""gate_activations: the gates of a recurrent layer at every row of its inputs."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lightning_tf.checks import describe
from lightning_tf.exceptions import ConfigurationError, DataError

Gates = dict[str, Any]


def gate_activations(layer: keras.Layer, inputs: Any) -> dict[str, NDArray[np.floating]]:
    """Return the gates and states of a recurrent layer at every row, from its own weights.

    The equations are those of the layer at inference, without dropout, in the precision of its
    weights. Gates lie in [0, 1] where its `recurrent_activation` is a sigmoid:

    - GRU (Cho et al. 2014, https://arxiv.org/abs/1406.1078): ``update`` is the share of the old
      state that stays (Keras' convention; the paper's is 1 minus it), ``reset`` the share of it
      that the ``candidate`` sees; ``state`` is update * before + (1 - update) * candidate.
    - LSTM (Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; Gers et
      al. 2000, https://doi.org/10.1162/089976600300015015): ``cell`` is forget * before + input *
      candidate, and ``state`` is output * activation(cell).

    Args:
        layer: A built `keras.layers.GRU` or `keras.layers.LSTM`; a `Bidirectional` has two, its
            ``forward_layer`` and ``backward_layer``.
        inputs: What the layer takes, of shape (batch, rows, features); no row is masked.

    Returns:
        Arrays of shape (batch, rows, units) by name, in the order of the rows of the inputs. The
        last state (of a layer that goes backwards the first) is the layer's output.

    Raises:
        ConfigurationError: The layer has no gates, or is not built.
        DataError: The inputs do not have the layer's shape.

    Example:
        >>> layer = keras.layers.GRU(4)
        >>> x = np.zeros((2, 60, 1), np.float32)
        >>> output = layer(x)
        >>> gates = gate_activations(layer, x)
        >>> sorted(gates), gates["update"].shape
        (['candidate', 'reset', 'state', 'update'], (2, 60, 4))
    """
    kinds = {keras.layers.GRU: _gru_row, keras.layers.LSTM: _lstm_row}
    row = next((step for kind, step in kinds.items() if isinstance(layer, kind)), None)
    if row is None:
        raise ConfigurationError(
            f"layer={describe(layer)} has no gates that are known; give a keras.layers.GRU or "
            "LSTM, such as the forward_layer of a Bidirectional."
        )
    if not layer.built:
        raise ConfigurationError(f"{layer.name} has no weights yet; call it on inputs first.")

    features = layer.cell.kernel.shape[0]
    if len(np.shape(inputs)) != 3 or np.shape(inputs)[-1] != features:
        raise DataError(
            f"inputs have the shape {tuple(np.shape(inputs))}; {layer.name} takes (batch, rows, "
            f"{features})."
        )

    x = ops.convert_to_tensor(inputs, layer.variable_dtype)
    order = range(x.shape[1])
    zeros = ops.zeros((x.shape[0], layer.units), layer.variable_dtype)
    gates: Gates = {"state": zeros, "cell": zeros}
    rows = []
    for number in reversed(order) if layer.go_backwards else order:
        gates = row(layer.cell, x[:, number], gates)
        rows.append(gates)
    if layer.go_backwards:
        rows.reverse()
    return {
        name: ops.convert_to_numpy(ops.stack([row[name] for row in rows], axis=1)) for name in gates
    }


def _gru_row(cell: Any, x: Any, before: Gates) -> Gates:
    """Return what a GRU cell computes of a row of inputs (batch, features)."""
    old = before["state"]  # (batch, units)
    bias = cell.bias if cell.use_bias else ops.zeros((2, 1) if cell.reset_after else (1,))
    of_inputs, of_state = ops.unstack(bias) if cell.reset_after else (bias, 0.0)
    kernels = ops.split(cell.recurrent_kernel, 3, axis=1)  # (units, units) each

    from_inputs = ops.matmul(x, cell.kernel) + of_inputs  # (batch, 3 * units)
    x_update, x_reset, x_candidate = ops.split(from_inputs, 3, axis=-1)
    from_state = ops.matmul(old, cell.recurrent_kernel) + of_state
    h_update, h_reset, h_candidate = ops.split(from_state, 3, axis=-1)

    update = cell.recurrent_activation(x_update + h_update)
    reset = cell.recurrent_activation(x_reset + h_reset)
    seen = reset * h_candidate if cell.reset_after else ops.matmul(reset * old, kernels[2])
    candidate = cell.activation(x_candidate + seen)
    state = update * old + (1 - update) * candidate
    return {"update": update, "reset": reset, "candidate": candidate, "state": state}


def _lstm_row(cell: Any, x: Any, before: Gates) -> Gates:
    """Return what an LSTM cell computes of a row of inputs (batch, features)."""
    z = ops.matmul(x, cell.kernel) + ops.matmul(before["state"], cell.recurrent_kernel)
    if cell.use_bias:
        z = z + cell.bias
    z_input, z_forget, z_candidate, z_output = ops.split(z, 4, axis=-1)  # (batch, units) each

    forget = cell.recurrent_activation(z_forget)
    into = cell.recurrent_activation(z_input)
    output = cell.recurrent_activation(z_output)
    candidate = cell.activation(z_candidate)
    memory = forget * before["cell"] + into * candidate
    return {
        "forget": forget,
        "input": into,
        "output": output,
        "candidate": candidate,
        "cell": memory,
        "state": output * cell.activation(memory),
    }
