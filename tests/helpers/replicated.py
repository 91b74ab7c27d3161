"""The same fit on one device and on several replicas, and the difference of their results."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import fitted, quiet

from lightning_tf import Trainer
from lightning_tf.distribute.custom_strategy import is_strategy
from lightning_tf.variables import all_variables


def outcome(make_task, devices, *, evaluates=True, predicts=True, **arguments):
    """Fit and return variables, logged values, evaluation and predictions by name.

    `devices` is a count of logical CPUs, or a strategy object.
    """
    keras.utils.set_random_seed(0)
    task = make_task()
    placement = {"strategy": devices}
    if not is_strategy(devices):
        placement = {"accelerator": "cpu", "devices": devices}
    trainer = fitted(task, **{"max_epochs": 1, "seed": 3, **placement, **arguments})
    result = {name: np.asarray(v.numpy()) for name, v in all_variables(task).items()}
    result |= {name: np.asarray(value) for name, value in trainer.callback_metrics.items()}
    if evaluates:
        result |= {name: np.asarray(value) for name, value in trainer.validate(task).items()}
    if predicts:
        result["predictions"] = np.concatenate(trainer.predict(task, collect=True))
    return result


def central(count):
    """Return a CentralStorageStrategy on `count` logical CPUs."""
    names = [f"CPU:{number}" for number in range(count)]
    return tf.distribute.experimental.CentralStorageStrategy(names, "CPU:0")


def furthest(one, other):
    """Return name and size of the largest difference, relative to its array's largest value."""
    assert set(one) == set(other)
    apart = {}
    for name, expected in one.items():
        assert expected.shape == other[name].shape, name
        difference = np.abs(expected.astype("float64") - other[name].astype("float64")).max()
        apart[name] = float(difference / (np.abs(expected).max() + 1e-6))
    name = max(apart, key=apart.get)
    return name, apart[name]


def furthest_by_norm(one, other):
    """Return name and size of the largest difference as `benchmarks/replica_parity.py` has it.

    The norm of a difference over the norm of the first array, which counts as at least 0.001 for
    each element: a bias that passes through zero has no digits of its own.
    """
    assert set(one) == set(other)
    apart = {}
    for name, expected in one.items():
        if np.issubdtype(expected.dtype, np.floating) and expected.size:
            size = max(np.linalg.norm(expected), 1e-3 * np.sqrt(expected.size))
            apart[name] = float(np.linalg.norm(expected - other[name]) / size)
        else:
            np.testing.assert_array_equal(expected, other[name], name)
    name = max(apart, key=apart.get)
    return name, apart[name]


def assert_equal_on_replicas(make_task, counts=(2,), tolerance=1e-5, **arguments):
    """Assert that fits on one device and on each count of replicas have the same results."""
    one = outcome(make_task, 1, **arguments)
    for count in counts:
        name, apart = furthest(one, outcome(make_task, count, **arguments))
        assert apart < tolerance, f"{name} differs by {apart:.1e} on {count} replicas"


def trainer_of(devices, **arguments):
    """Return a quiet Trainer on logical CPUs."""
    return Trainer(**quiet(accelerator="cpu", devices=devices, **arguments))
