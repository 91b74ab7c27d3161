"""A small model trained by fit and by a Trainer, and what both measure, side by side."""

import inspect

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.paths import ROOT

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask

X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
W = np.linspace(0.5, 2.0, len(X)).astype("float32")
FIT = {"verbose": 0, "shuffle": False}


def model(optimizer="sgd", *layers, **compiled):
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), *layers])
    net.compile(optimizer, "mse", metrics=["mae"], **compiled)
    return net


def batches(size=12):
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(size)


def dataset(*arrays, size=16):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def by_trainer(net, epochs=2, **options):
    """Return the history of a compiled model's fit under the Trainer."""
    history = keras.callbacks.History()
    fitted(KerasTask(net, **options), max_epochs=epochs, callbacks=[history])
    return history.history


def task_of(net, **data):
    return KerasTask(net, data=batches(), validation_data=batches(24), **data)


def fit(net, callbacks=(), epochs=2, data=None):
    validation = {"validation_data": batches(24)}
    history = net.fit(data or batches(), epochs=epochs, callbacks=[*callbacks], **validation, **FIT)
    return history.history


def train(net, callbacks=(), **arguments):
    history = keras.callbacks.History()
    trainer = Trainer(
        **quiet(**{"max_epochs": 2, "accelerator": "cpu", **arguments}),
        callbacks=[*callbacks, history],
    )
    trainer.fit(task_of(net))
    return history.history, trainer


def assert_alike(values, expected):
    assert values.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-5, err_msg=name)


def assert_same_weights(one, other):
    for weight, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


def alike_with(make_optimizer, *layers, data=None, **arguments):
    """Train by fit and by the Trainer, and compare what both measure and leave."""
    by_fit = model(make_optimizer(), *[layer() for layer in layers])
    by_trainer = model(make_optimizer(), *[layer() for layer in layers])
    expected = fit(by_fit, data=data)
    values, trainer = train(by_trainer, **arguments)
    assert_same_weights(by_trainer, by_fit)
    return values, expected, trainer


def shown(**arguments):
    off = quiet(**arguments)
    return {**off, "logger": True}


def two_outputs():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    heads = {name: keras.layers.Dense(1, name=name)(inputs) for name in "ab"}
    return keras.Model(inputs, heads)


def compiled(**options):
    """Compile two outputs, train by fit and by a KerasTask that gets the same, and compare."""
    y, weights = {"a": Y, "b": 2.0 * Y}, {"a": W, "b": W[::-1]}
    by_fit, history = two_outputs(), keras.callbacks.History()
    by_fit.compile("sgd", **{"loss": "mse", **options})
    expected = by_fit.fit(X, y, sample_weight=weights, batch_size=12, epochs=2, **FIT)
    task = KerasTask(
        two_outputs(),
        optimizer="sgd",
        data=(X, y, weights),
        batch_size=12,
        shuffle=False,
        **{"loss": "mse", **options},
    )
    Trainer(**quiet(max_epochs=2, callbacks=[history])).fit(task)
    assert_alike(history.history, expected.history)
    assert_same_weights(task.model, by_fit)
    return expected.history


def table_rows(*methods):
    """Return the rows of docs/from_keras.md about the arguments of methods, cell by cell."""
    table = (ROOT / "docs/from_keras.md").read_text().split("| argument | | here |")[1]
    lines = [line for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    rows = [line.removeprefix("| ").split(" | ") for line in lines]
    return [row for row in rows if row[0][1:].partition("(")[0] in methods]


def assert_complete(checks):
    """Compare what is checked, by method and argument, with the table and with Keras."""
    rows = [f"`{method}({name})`" for method, names in checks.items() for name in names]
    assert [row[0] for row in table_rows(*checks)] == rows
    for method, names in checks.items():
        parameters = inspect.signature(getattr(keras.Model, method)).parameters.values()
        named = [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]
        assert set(names) == set(named), method
