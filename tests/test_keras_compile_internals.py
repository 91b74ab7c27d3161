"""What this package uses of how Keras compiles a model: each still is what it was."""

import keras
import pytest

from lightning_tf import keras_compile_internals as internals


def model():
    inputs = keras.Input((2,))
    outputs = [keras.layers.Dense(1, name=name)(inputs) for name in "ab"]
    return keras.Model(inputs, outputs)


def test_what_a_model_was_compiled_with():
    net = model()
    net.compile("sgd", "mse", metrics=["mae", "mse"], weighted_metrics=["mse", "mae"])
    assert internals.compiled_metrics(net) == (["mae", "mse"], ["mse", "mae"])
    assert internals.compiled_losses(net) == ("mse", None)
    net.compile("sgd", ["mse", "mae"], loss_weights=[2.0, 1.0])
    loss, weights = internals.compiled_losses(net)
    assert (type(loss), loss, weights) == (list, ["mse", "mae"], [2.0, 1.0])
    assert internals.compiled_losses(model()) == (None, None)


def test_losses_and_metrics_of_outputs_have_fits_names():
    net, seen = model(), []
    y = [keras.KerasTensor((None, 1))] * 2
    losses = internals.OutputLosses(
        ["mse", "mae"], None, net.output_names, lambda name, value: seen.append(name)
    )
    internals.build_symbolically(losses, y, net.outputs, None)
    assert seen == ["a_loss", "b_loss"]
    metrics = internals.OutputMetrics([["mae"], None], None, net.output_names, y, net.outputs)
    assert [(each.prefix, each.metric.name, each.place) for each in metrics.plain] == [
        ("a_", "mae", 0)
    ]
    assert metrics.flatten({"b": 2, "a": 1}) == [1, 2]


def test_a_model_is_lent_losses_and_gets_its_own_back():
    net = model()
    net.compile("sgd", "mse")
    before = net._compile_loss, net._loss_tracker
    with internals.compiled_with(net, "lent", None):
        with internals.compiled_with(net, "lent", None):
            pass
        assert net._compile_loss == "lent"
        assert net._loss_tracker is None
    assert (net._compile_loss, net._loss_tracker) == before


def test_compute_loss_is_called_as_it_was_written():
    class Old(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return y_pred - y

    assert internals.call_compute_loss(Old(), None, 1, 3, None, True) == 2


@pytest.mark.parametrize("name", ["_compile_loss", "_compile_metrics", "_loss_tracker", "compiled"])
def test_the_attributes_that_are_lent_are_those_of_keras(name):
    assert name in vars(model())
