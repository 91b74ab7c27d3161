"""Helpers of the parity tests: a tiny problem, and Keras' strategy of two devices."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import ArrayData

SEEN_IN = "3.15"


def keras_trap(what, raises=AssertionError):
    """Mark a test of what Keras does wrong; it fails when a repaired Keras passes it.

    Slow: only another Keras can change what it finds.
    """
    reason = f"Keras {SEEN_IN}: {what}"
    expected = pytest.mark.xfail(strict=True, raises=raises, reason=reason)
    return lambda test: pytest.mark.slow(expected(test))


@cache
def two_devices():
    """Return a MirroredStrategy of two logical CPUs with TensorFlow's defaults."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def problem(examples=12, seed=0):
    """Return examples of three features and their sum plus one."""
    x = np.random.RandomState(seed).normal(size=(examples, 3)).astype("float32")
    return x, x.sum(axis=1, keepdims=True) + 1.0


def batches(x, y, size):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


class Ordered(ArrayData):
    """Data for the Trainer in the order of the arrays, without shuffling."""

    def train_dataset(self, epoch):
        split = self._split("train")
        return split.source.batches(split.indices, self.batch_size)


def data(x, y, size):
    return Ordered(x, y, val=(x, y), batch_size=size)


def net(*makers):
    """Return a network of three inputs and one output, with the same weights each time."""
    keras.utils.set_random_seed(1)  # a layer draws the seed of its weights when it is made
    hidden = [make() for make in makers]
    return keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(1)])


def weights(model):
    return [np.asarray(value) for value in model.get_weights()]


def largest_difference(one, other):
    """Return the largest difference of two lists of arrays; infinite where one is not finite."""
    differences = [np.abs(a - b).max() for a, b in zip(one, other, strict=True)]
    return float(np.nan_to_num(max(differences), nan=np.inf, posinf=np.inf))
