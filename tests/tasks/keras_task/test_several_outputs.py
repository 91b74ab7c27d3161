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
    "lists": (
        "list",
        [A, B],
        None,
        {"loss": list(LOSSES.values()), "metrics": [["mae"], ["accuracy"]]},
    ),
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
        {
            "loss": [*LOSSES.values()],
            "weighted_metrics": [["mae"], ["acc"]],
            "metrics": [["mae"], None],
        },
    ),
    "other keys": (
        "other keys",
        {"first": A, "second": B},
        None,
        {"loss": {"first": "mse", "second": LOSSES["b"]}, "metrics": {"second": ["acc"]}},
    ),
    "one loss for all": ("dict", {"a": A, "b": A}, None, {"loss": "mse"}),
    "a loss left out": (
        "list",
        [A, B],
        None,
        {"loss": ["mse", None], "metrics": [["mae"], ["acc"]]},
    ),
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
        heads(kind),
        optimizer="sgd",
        data=data,
        validation_data=data,
        batch_size=16,
        shuffle=False,
        **compiled,
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


@pytest.mark.parametrize("case", slow_but(CASES, "weights by output", "one in a list"))
def test_every_number_and_name_is_that_of_fit(case):
    net, expected = by_fit(case)
    task = task_of(case)
    assert_alike(by_trainer(task), expected)
    for weight, wanted in zip(task.model.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-6)


@pytest.mark.distributed
def test_two_replicas_measure_what_one_device_does():
    def values(**arguments):
        kind, y, weight, compiled = CASES["weights by output"]
        # Batches of 10: the last one has 8, and a replica's shares are unequal.
        task = KerasTask(
            heads(kind),
            optimizer="sgd",
            data=(X, y, weight),
            validation_data=(X[:21], {n: t[:21] for n, t in y.items()}, None),
            batch_size=10,
            **compiled,
        )
        return by_trainer(task, accelerator="cpu", seed=0, **arguments)

    assert_alike(values(devices=2), values(devices=1))


def test_an_outputs_loss_is_the_mean_over_the_examples():
    net, data = heads("dict"), tf.data.Dataset.from_tensor_slices((X, {"a": A, "b": B})).batch(20)
    task = KerasTask(net, LOSSES, "sgd", test_data=data)
    values = Trainer(**quiet()).test(task)
    whole = net.compute_loss  # of all examples at once
    net.compile("sgd", LOSSES)
    expected = net.evaluate(X, {"a": A, "b": B}, batch_size=48, return_dict=True, verbose=0)
    assert whole is not None
    for name in ("a_loss", "b_loss", "loss"):
        assert values[f"test_{name}"] == pytest.approx(expected[name], rel=1e-5)


def test_a_resumed_run_has_the_numbers_of_one_that_was_not_stopped(tmp_path):
    whole = by_trainer(task_of("dicts"), epochs=3)
    fitted(task_of("dicts"), max_steps=4).save_checkpoint(tmp_path / "x")
    history = keras.callbacks.History()
    second = Trainer(**quiet(max_epochs=3, callbacks=[history]))
    second.fit(task_of("dicts"), ckpt_path=tmp_path / "x")
    assert {n: v[-1] for n, v in history.history.items()} == {n: v[-1] for n, v in whole.items()}


def test_outputs_of_a_subclass_are_named_alike_in_every_process():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = keras.layers.Dense(1), keras.layers.Dense(1)

        def call(self, x):
            return self.one(x), self.two(x)

    task = KerasTask(Two(), ["mse", "mae"], "sgd", [["mae"], ["mae"]], data=(X, [A, A]))
    values = fitted(task, max_epochs=1).callback_metrics
    assert values.keys() == {"loss", "output_0_loss", "output_1_loss", "mae", "mae_1"}


def test_predictions_have_the_structure_of_the_outputs():
    task = KerasTask(heads("dict"), test_data={"x": X})
    (outputs,) = Trainer(**quiet()).predict(
        KerasTask(heads("dict"), test_data=(X,), batch_size=48), collect=True
    )
    expected = heads("dict").predict(X, verbose=0)
    assert task.data.train_dataset(0) is None
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, rtol=1e-5)


def test_names_that_no_output_has_are_refused():
    for options in ({"loss": {"a": "mse", "c": "mse"}}, {"metrics": {"c": ["mae"]}}):
        with pytest.raises(ConfigurationError, match="Keras says"):
            fitted(
                KerasTask(
                    heads("list"), **{"loss": "mse", **options}, optimizer="sgd", data=(X, [A, A])
                ),
                max_epochs=1,
            )


@pytest.mark.distributed
def test_a_strategys_scope_may_stand_around_all():
    one = by_trainer(task_of("weights by output"), accelerator="cpu", devices=1)
    # TensorFlow's default on CPUs, a ring, fails where the process had another strategy.
    sums = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], sums)
    with strategy.scope():
        assert_alike(by_trainer(task_of("weights by output")), one)
        model_inside = task_of("weights by output")
    assert_alike(by_trainer(model_inside, accelerator="cpu", devices=2), one)
    outside = Trainer(**quiet(max_epochs=1))
    with strategy.scope(), pytest.raises(ConfigurationError, match="make it inside too"):
        outside.fit(model_inside)
