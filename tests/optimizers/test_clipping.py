"""Clipping of gradients that are summed and accumulated, against the same computed by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted
from helpers.updates import weight_after

from lightning_tf.optimizers.clipping import Clipping


class Vector(NumberTask):
    """Two weights whose gradients are the two columns' means."""

    def configure_model(self):
        self.first = keras.Variable([0.0, 0.0], name="first")
        self.second = keras.Variable(0.0, name="second")

    def training_step(self, batch):
        gradient = tf.reduce_mean(batch, axis=0)
        return tf.reduce_sum(gradient[:2] * self.first) + gradient[2] * self.second

    @property
    def values(self):
        return [*np.asarray(self.first).tolist(), float(self.second)]


def vectors(*rows):
    return NumberData(np.array(rows, "float32"), batch_size=1)


def clipped(gradient, norm):
    gradient = np.array(gradient, "float64")
    length = np.linalg.norm(gradient)
    return gradient * min(1.0, norm / length)


def test_the_norm_of_all_gradients_together_is_clipped():
    task = Vector(vectors([3.0, 4.0, 12.0], [0.1, 0.2, 0.2]))
    fitted(task, max_epochs=1, gradient_clip_val=2.0)
    expected = -clipped([3.0, 4.0, 12.0], 2.0) - np.array([0.1, 0.2, 0.2])
    np.testing.assert_allclose(task.values, expected, rtol=1e-6)


def test_gradients_of_several_types_are_clipped_together():
    parts = [tf.constant([3.0, 4.0], tf.float64), tf.constant([12.0], tf.float32)]
    double, single = Clipping("norm", 2.0)(parts)
    assert (double.dtype, single.dtype) == (tf.float64, tf.float32)
    expected = clipped([3.0, 4.0, 12.0], 2.0)
    np.testing.assert_allclose(np.concatenate([double, single]), expected, rtol=1e-6)


def test_each_element_is_clipped_by_value():
    task = Vector(vectors([3.0, -4.0, 0.25]))
    fitted(task, max_epochs=1, gradient_clip_val=0.5, gradient_clip_algorithm="value")
    assert task.values == [-0.5, 0.5, -0.25]


def test_clipping_comes_after_accumulation():
    # Mean of (10, 0, 0) and (-8, 0, 0) is (1, 0, 0): nothing to clip. Clipped one by one it is 0.
    task = Vector(vectors([10.0, 0.0, 0.0], [-8.0, 0.0, 0.0]))
    fitted(task, max_epochs=1, gradient_clip_val=1.0, accumulate_grad_batches=2)
    assert task.values[0] == -1.0


def test_clipping_comes_after_unscaling():
    task = Vector(vectors([0.3, 0.4, 0.0]))
    fitted(task, max_epochs=1, gradient_clip_val=1.0, precision="16-mixed")
    np.testing.assert_allclose(task.values, [-0.3, -0.4, 0.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ({"global_clipnorm": 2.0}, clipped([3.0, 4.0, 12.0], 2.0)),
        ({"clipvalue": 3.5}, np.array([3.0, 3.5, 3.5])),
        ({"clipnorm": 1.0}, np.array([0.6, 0.8, 1.0])),
    ],
)
def test_keras_own_clipping_is_taken_off_and_done_once(argument, expected):
    optimizer = keras.optimizers.SGD(1.0, **argument)
    task = Vector(vectors([3.0, 4.0, 12.0]), optimizer)
    fitted(task, max_epochs=1)
    np.testing.assert_allclose(task.values, -expected, rtol=1e-6)
    assert getattr(optimizer, next(iter(argument))) is None


def test_keras_own_clipping_acts_once_per_update():
    # Clipped per batch the two cancel out to 0; clipped once per update the mean of 1 passes.
    optimizer = keras.optimizers.SGD(1.0, clipvalue=1.0)
    weight, _ = weight_after([10, -8], optimizer=optimizer, accumulate_grad_batches=2)
    assert weight == -1.0


def test_the_trainers_clipping_wins_over_the_optimizers():
    optimizer = keras.optimizers.SGD(1.0, clipvalue=0.1)
    weight, _ = weight_after([10], optimizer=optimizer, gradient_clip_val=2.0)
    assert weight == -2.0


def test_sparse_gradients_pass_through_scale_accumulation_and_clipping():
    class Table(NumberTask):
        def configure_model(self):
            self.table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
            self.table.build((None,))

        def training_step(self, batch):
            return tf.reduce_sum(tf.cast(self.table(tf.cast(batch, tf.int32)), tf.float32))

    task = Table(NumberData([1, 3]))
    fitted(
        task,
        max_epochs=1,
        precision="16-mixed",
        accumulate_grad_batches=2,
        gradient_clip_val=10.0,
    )
    moved = np.asarray(task.table.embeddings).ravel()
    np.testing.assert_allclose(moved, [0.0, -0.5, 0.0, -0.5], rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "16-mixed"])
@pytest.mark.parametrize("clip", ["norm", "value"])
def test_sparse_gradients_are_clipped(precision, clip):
    class Table(NumberTask):
        def configure_model(self):
            self.table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
            self.table.build((None,))

        def training_step(self, batch):
            return 1.5 * tf.reduce_sum(tf.cast(self.table(tf.cast(batch, tf.int32)), tf.float32))

    task = Table(NumberData([1]))
    fitted(
        task,
        max_epochs=1,
        precision=precision,
        gradient_clip_val=1.25,
        gradient_clip_algorithm=clip,
    )
    moved = np.asarray(task.table.embeddings).ravel()
    np.testing.assert_allclose(moved, [0.0, -1.25, 0.0, 0.0], rtol=1e-6)
