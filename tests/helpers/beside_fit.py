"""A small model trained by fit and by a Trainer, and what both measure, side by side."""

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import quiet

from lightning_tf import Trainer
from lightning_tf.tasks import KerasTask

X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
FIT = {"verbose": 0, "shuffle": False}


def model(optimizer="sgd", *layers, **compiled):
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), *layers])
    net.compile(optimizer, "mse", metrics=["mae"], **compiled)
    return net


def batches(size=12):
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(size)


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
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-4, err_msg=name)


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
