"""gate_activations: the states that follow from the gates are those of Keras."""

import keras
import numpy as np
import pytest

from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.layers import gate_activations

VARIANTS = [
    (keras.layers.GRU, {}),
    (keras.layers.GRU, {"reset_after": False}),
    (keras.layers.GRU, {"use_bias": False, "recurrent_activation": "hard_sigmoid"}),
    (keras.layers.LSTM, {}),
    (keras.layers.LSTM, {"use_bias": False, "activation": "relu"}),
    (keras.layers.LSTM, {"go_backwards": True}),
    (keras.layers.GRU, {"go_backwards": True}),
]


def built(kind, **options):
    layer = kind(4, return_sequences=True, seed=0, **options)
    layer.build((None, 7, 3))
    random = np.random.default_rng(1)
    for weight in layer.weights:  # biases too: they begin at 0 and 1
        weight.assign(random.normal(size=weight.shape))
    return layer, random.normal(size=(5, 7, 3)).astype("float32")


@pytest.mark.parametrize(("kind", "options"), VARIANTS, ids=str)
def test_the_states_are_the_outputs_of_the_layer(kind, options):
    layer, x = built(kind, **options)
    gates = gate_activations(layer, x)
    states = gates["state"][:, ::-1] if options.get("go_backwards") else gates["state"]
    np.testing.assert_allclose(states, layer(x), atol=1e-5)
    assert {values.shape for values in gates.values()} == {(5, 7, 4)}


def test_a_gru_mixes_the_old_state_and_the_candidate_by_its_update_gate():
    layer, x = built(keras.layers.GRU)
    gates = gate_activations(layer, x)
    before = np.concatenate([np.zeros((5, 1, 4)), gates["state"][:, :-1]], axis=1)
    mixed = gates["update"] * before + (1 - gates["update"]) * gates["candidate"]
    np.testing.assert_allclose(gates["state"], mixed, atol=1e-6)
    for name in ("update", "reset"):
        assert 0 <= gates[name].min() < gates[name].max() <= 1


def test_an_lstm_keeps_what_its_forget_gate_keeps():
    layer, x = built(keras.layers.LSTM)
    gates = gate_activations(layer, x)
    before = np.concatenate([np.zeros((5, 1, 4)), gates["cell"][:, :-1]], axis=1)
    kept = gates["forget"] * before + gates["input"] * gates["candidate"]
    np.testing.assert_allclose(gates["cell"], kept, atol=1e-6)
    np.testing.assert_allclose(gates["state"], gates["output"] * np.tanh(gates["cell"]), atol=1e-6)


def test_both_directions_of_a_bidirectional_layer_are_read():
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2, seed=0))
    x = np.random.default_rng(0).normal(size=(3, 6, 1)).astype("float32")
    output = layer(x).numpy()
    forward = gate_activations(layer.forward_layer, x)["state"][:, -1]
    backward = gate_activations(layer.backward_layer, x)["state"][:, 0]
    np.testing.assert_allclose(output, np.concatenate([forward, backward], axis=-1), atol=1e-6)


def test_under_mixed_precision_the_gates_have_the_precision_of_the_weights():
    layer = keras.layers.GRU(4, dtype="mixed_float16", seed=0)
    x = np.ones((2, 3, 1), np.float32)
    output = layer(x)
    gates = gate_activations(layer, x)
    assert gates["update"].dtype == np.float32
    np.testing.assert_allclose(gates["state"][:, -1], output, atol=2e-3)


def test_layers_without_gates_or_weights_and_inputs_of_other_shapes_are_refused():
    x = np.ones((2, 3, 1), np.float32)
    with pytest.raises(ConfigurationError, match=r"SimpleRNN.*keras\.layers\.GRU"):
        gate_activations(keras.layers.SimpleRNN(2), x)
    layer = keras.layers.GRU(2, name="gru")
    with pytest.raises(ConfigurationError, match="gru has no weights yet; call it"):
        gate_activations(layer, x)
    layer(x)
    with pytest.raises(DataError, match=r"\(2, 3\).*\(batch, rows, 1\)"):
        gate_activations(layer, x[..., 0])
