"""The same fit on one device and on several replicas, and how far the results are apart."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import fitted, quiet

from lightning_tf import Trainer
from lightning_tf.distribute.custom_strategy import is_strategy
from lightning_tf.variables import all_variables


def outcome(make_task, devices, *, evaluates=True, predicts=True, **arguments):
    """All that a fit leaves: variables, logged values, evaluation and predictions, by name.

    `devices` is a count of logical CPUs, or a strategy object.
    """
    keras.utils.set_random_seed(0)
    task = make_task()
    where = {"strategy": devices}
    if not is_strategy(devices):
        where = {"accelerator": "cpu", "devices": devices}
    trainer = fitted(task, **{"max_epochs": 1, "seed": 3, **where, **arguments})
    found = {name: np.asarray(v.numpy()) for name, v in all_variables(task).items()}
    found |= {name: np.asarray(value) for name, value in trainer.callback_metrics.items()}
    if evaluates:
        found |= {name: np.asarray(value) for name, value in trainer.validate(task).items()}
    if predicts:
        found["predictions"] = np.concatenate(trainer.predict(task, collect=True))
    return found


def central(count):
    """A strategy whose variables have one copy, beside `count` logical CPUs that compute."""
    names = [f"CPU:{number}" for number in range(count)]
    return tf.distribute.experimental.CentralStorageStrategy(names, "CPU:0")


def furthest(one, other):
    """The name and size of the largest difference, relative to the largest of each array."""
    assert set(one) == set(other)
    apart = {}
    for name, expected in one.items():
        assert expected.shape == other[name].shape, name
        difference = np.abs(expected.astype("float64") - other[name].astype("float64")).max()
        apart[name] = float(difference / (np.abs(expected).max() + 1e-6))
    name = max(apart, key=apart.get)
    return name, apart[name]


def assert_equal_on_replicas(make_task, counts=(2,), tolerance=1e-5, **arguments):
    """Fit on one device and on each count of replicas; all must end alike."""
    one = outcome(make_task, 1, **arguments)
    for count in counts:
        name, apart = furthest(one, outcome(make_task, count, **arguments))
        assert apart < tolerance, f"{name} differs by {apart:.1e} on {count} replicas"


def trainer_of(devices, **arguments):
    """A quiet Trainer on logical CPUs."""
    return Trainer(**quiet(accelerator="cpu", devices=devices, **arguments))
