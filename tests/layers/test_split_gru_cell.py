"""split_gates: Keras' numbers of a GRU to the last bit, from fewer operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf import Trainer
from lightning_tf.keras_internals import flat_layers
from lightning_tf.layers.split_gru_cell import SplitGRUCell, split_gates
from lightning_tf.tasks import KerasTask, TimeSeriesForecast
from lightning_tf.variables import components
from tests.helpers.boring import quiet


def model(**options):
    layers = [keras.Input((5, 3)), keras.layers.GRU(4, return_sequences=True, seed=1, **options)]
    layers.append(keras.layers.Bidirectional(keras.layers.GRU(6, seed=2, **options)))
    return keras.Sequential([*layers, keras.layers.Dense(2)])


def outcome(network):
    x = tf.constant(np.random.default_rng(0).normal(size=(7, 5, 3)).astype("float32"))

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(network(x, training=True)))
        return [loss, *tape.gradient(loss, [v.value for v in network.trainable_variables])]

    return run.get_concrete_function().graph, [tensor.numpy() for tensor in run()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"unroll": True}, marks=pytest.mark.slow),
        pytest.param({"use_bias": False}, marks=pytest.mark.slow),
        pytest.param({"dropout": 0.5}, marks=pytest.mark.slow),
        pytest.param({"reset_after": False}, marks=pytest.mark.slow),
        {"dtype": "mixed_bfloat16"},
    ],
    ids=str,
)
def test_losses_and_gradients_are_those_of_keras_to_the_last_bit(options):
    results = []
    for split in (False, True):
        keras.utils.set_random_seed(0)
        network = model(**options)
        if split:
            split_gates([network])
        results.append(outcome(network)[1])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_array_equal(expected, found)


def test_the_gradient_fills_no_zeros_around_a_gate():
    network = model(unroll=True)
    split_gates([network])
    graph, _ = outcome(network)
    # One layer gives every state, of which the next reads rows; no slice is a gate's.
    sliced = [op for op in graph.get_operations() if op.type == "StridedSliceGrad"]
    assert all("gru_cell" not in op.name for op in sliced)


def test_cells_of_other_layers_and_of_subclasses_stay_as_they_are():
    class OwnGRU(keras.layers.GRU):
        pass

    own, rnn = OwnGRU(2), keras.layers.RNN(keras.layers.GRUCell(2))
    split_gates([own, rnn])
    assert type(own.cell) is type(rnn.cell) is keras.layers.GRUCell


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_model_that_was_trained_is_saved_as_keras_own(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 5, 3)).astype("float32")
    network = model()
    network.compile("sgd", "mse")
    Trainer(**quiet(default_root_dir=tmp_path, max_steps=1)).fit(
        KerasTask(network, data=(x, x[:, 0, :2]), batch_size=4)
    )
    assert type(network.layers[0].cell) is SplitGRUCell
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0].cell) is keras.layers.GRUCell
    np.testing.assert_array_equal(network(x).numpy(), loaded(x).numpy())


@pytest.mark.slow
def test_a_forecast_splits_its_gates(tmp_path):
    series = np.sin(np.arange(100) / 7.0).astype("float32")
    task = TimeSeriesForecast(series, "gru", history=8, units=4, batch_size=8)
    Trainer(**quiet(default_root_dir=tmp_path, max_steps=1)).fit(task)
    parts = [part for _, part in components(task) if isinstance(part, keras.Layer)]
    layers = [layer for part in parts for layer in flat_layers(part)]
    cells = [layer.cell for layer in layers if isinstance(layer, keras.layers.GRU)]
    assert cells
    assert all(type(cell) is SplitGRUCell for cell in cells)
