import gc
import weakref

import keras
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted, quiet
from tensorflow.python.framework import ops

from lightning_tf import Trainer
from lightning_tf.graph.custom_gradients import release_custom_gradients


@tf.custom_gradient
def doubled(x):
    return x * 2.0, lambda upstream: upstream * 2.0


class Owner:
    """Something that dies."""


class Doubling(NumberTask):
    """Trains and predicts through a gradient of its own."""

    def training_step(self, batch):
        return tf.reduce_mean(doubled(self.weight * batch))

    def predict_step(self, batch):
        return doubled(self.weight * batch)


def custom_gradients():
    return {name for name in ops.gradient_registry.list() if name.startswith("CustomGradient-")}


def test_gradients_are_forgotten_once_their_owner_is_gone():
    traced = tf.function(doubled).get_concrete_function(tf.TensorSpec([], tf.float32))
    known = custom_gradients()
    owner = Owner()
    release_custom_gradients(traced.graph, after=owner)
    assert custom_gradients() == known
    del owner
    assert len(known - custom_gradients()) == 1


def test_a_gradient_of_another_graph_stays():
    kept = tf.function(doubled).get_concrete_function(tf.TensorSpec([], tf.float32))
    owner = Owner()
    other = tf.function(lambda x: x + 1.0).get_concrete_function(tf.TensorSpec([], tf.float32))
    release_custom_gradients(other.graph, after=owner)
    del owner
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = kept(x)
    assert float(tape.gradient(y, x)) == 2.0


def test_a_fit_and_a_prediction_leave_neither_their_gradients_nor_their_graphs():
    keras.utils.clear_session()
    before = custom_gradients()
    task = Doubling(NumberData([1.0, 2.0], held_out=[1.0]))
    trainer = fitted(task, max_epochs=2)
    graph = weakref.ref(trainer.step_graph())
    predicting = Trainer(**quiet())
    predicting.predict(task, collect=True)
    assert custom_gradients() > before
    del trainer, predicting, task
    for _ in range(2):  # the graph is reachable until the first has called what forgets
        gc.collect()
    assert custom_gradients() == before
    assert graph() is None
