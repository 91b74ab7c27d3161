"""Models of several inputs and outputs: the names and numbers of fit, however they are given."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(48, 4)).astype("float32")
A = (X @ RANDOM.normal(size=(4, 1))).astype("float32")
B = (X[:, 0] > 0).astype("int32")
W = RANDOM.uniform(0.5, 1.5, size=48).astype("float32")
V = RANDOM.uniform(0.5, 1.5, size=48).astype("float32")
LOSSES = {"a": "mse", "b": "sparse_categorical_crossentropy"}

pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")


def heads(kind):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(5, "tanh", kernel_regularizer="l2")(inputs)
    a = keras.layers.Dense(1, name="a")(hidden)
    b = keras.layers.Dense(2, "softmax", name="b")(hidden)
    outputs = {
        "list": [a, b],
        "tuple": (a, b),
        "dict": {"a": a, "b": b},
        "other keys": {"first": a, "second": b},
        "nest": {"one": {"a": a}, "two": {"b": b}},
        "one in a list": [a],
        "one in a dict": {"a": a},
    }
    return keras.Model(inputs, outputs[kind])


# What the model gives, the targets, the weights, and what compile takes.
CASES = {
    "lists": ("list", [A, B], None, {"loss": list(LOSSES.values()), "metrics": [["mae"], ["accuracy"]]}),
    "lists by name": ("list", [A, B], None, {"loss": LOSSES, "loss_weights": {"a": 0.3, "b": 2.0}}),
    "dicts": (
        "dict",
        {"a": A, "b": B},
        None,
        {"loss": LOSSES, "metrics": {"b": ["accuracy"], "a": ["mae", "mse"]}},
    ),
    "weights by output": (
        "dict",
        {"a": A, "b": B},
        {"a": W, "b": V},
        {"loss": LOSSES, "weighted_metrics": {"a": ["mae"], "b": ["accuracy"]}},
    ),
    "one weight for all": (
        "tuple",
        (A, B),
        W,
        {"loss": [*LOSSES.values()], "weighted_metrics": [["mae"], ["acc"]], "metrics": [["mae"], None]},
    ),
    "other keys": (
        "other keys",
        {"first": A, "second": B},
        None,
        {"loss": {"first": "mse", "second": LOSSES["b"]}, "metrics": {"second": ["acc"]}},
    ),
    "one loss for all": ("dict", {"a": A, "b": A}, None, {"loss": "mse"}),
    "a loss left out": ("list", [A, B], None, {"loss": ["mse", None], "metrics": [["mae"], ["acc"]]}),
    "nest": (
        "nest",
        {"one": {"a": A}, "two": {"b": B}},
        None,
        {
            "loss": {"one": {"a": "mse"}, "two": {"b": LOSSES["b"]}},
        },
    ),
    "one in a list": ("one in a list", A, W, {"loss": ["mse"], "metrics": [["mae"]]}),
    "one in a dict": ("one in a dict", {"a": A}, None, {"loss": {"a": "mse"}, "loss_weights": 3.0}),
}


def by_fit(case, epochs=2):
    kind, y, weight, compiled = CASES[case]
    net = heads(kind)
    net.compile("sgd", **compiled)
    data = (X, y) if weight is None else (X, y, weight)
    options = {"epochs": epochs, "batch_size": 16, "shuffle": False, "verbose": 0}
    history = net.fit(X, y, sample_weight=weight, validation_data=data, **options).history
    return net, history


def task_of(case):
    kind, y, weight, compiled = CASES[case]
    data = (X, y) if weight is None else (X, y, weight)
    return KerasTask(
        heads(kind), optimizer="sgd", data=data, validation_data=data, batch_size=16, shuffle=False, **compiled
    )


def by_trainer(task, epochs=2, **arguments):
    history = keras.callbacks.History()
    trainer = Trainer(**quiet(max_epochs=epochs, callbacks=[history], **arguments))
    trainer.fit(task)
    return history.history


def assert_alike(values, expected):
    assert values.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(values[name], expected[name], atol=1e-6, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", slow_but(CASES, "lists by name", "weights by output", "one in a list"))
def test_every_number_and_name_is_that_of_fit(case):
    net, expected = by_fit(case)
    task = task_of(case)
    assert_alike(by_trainer(task), expected)
    for weight, wanted in zip(task.model.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-6)
