"""Pairs of tests on one device: Keras' fit, expected to fail, and the Trainer."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import quiet
from helpers.replicated import trainer_of
from parity.traps import batches, data, keras_trap, largest_difference, net, problem, weights

from lightning_tf import Callback, Trainer
from lightning_tf.tasks import KerasTask

pytestmark = pytest.mark.filterwarnings("ignore")


def accumulating():
    """Return SGD with a rate of 1 for two updates, then 0; four batches make an update."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.0])
    return keras.optimizers.SGD(rate, gradient_accumulation_steps=4)


@keras_trap("the schedule counts batches: its rate is 0 before the first update")
def test_keras_counts_updates_for_schedules():
    model = net()
    before = weights(model)
    model.compile(accumulating(), "mse")
    model.fit(batches(*problem(4), 1), verbose=0)
    assert largest_difference(before, weights(model)) > 0.1


def test_lightning_tf_counts_updates_for_schedules():
    model = net()
    before = weights(model)
    model.compile(accumulating(), "mse")
    Trainer(**quiet(max_epochs=1)).fit(KerasTask(model, data=data(*problem(4), 1)))
    assert largest_difference(before, weights(model)) > 0.1


def with_dropout():
    return net(partial(keras.layers.Dense, 16), partial(keras.layers.Dropout, 0.5, seed=5))


def in_two_halves(folder, save):
    """Compare the weights of four epochs with those of two epochs, a save and two more."""
    x, y = problem()
    models = [with_dropout() for _ in range(3)]
    for model in models:
        model.compile(keras.optimizers.SGD(0.01), "mse")
        model.optimizer.build(model.trainable_variables)
    whole, first, second = models
    whole.fit(batches(x, y, 4), epochs=4, verbose=0)
    first.fit(batches(x, y, 4), epochs=2, verbose=0)
    save(first, second, folder)
    second.fit(batches(x, y, 4), epochs=2, verbose=0)
    return largest_difference(weights(whole), weights(second))


def by_weights_file(first, second, folder):
    first.save_weights(folder / "half.weights.h5")
    second.load_weights(folder / "half.weights.h5")


def by_checkpoint(first, second, folder):
    path = tf.train.Checkpoint(model=first, optimizer=first.optimizer).save(folder / "half")
    tf.train.Checkpoint(model=second, optimizer=second.optimizer).restore(path)


@keras_trap("neither a weights file nor tf.train.Checkpoint holds seed generators")
@pytest.mark.parametrize(
    "save", [by_weights_file, pytest.param(by_checkpoint, marks=pytest.mark.slow)]
)
def test_keras_resumes_exactly(tmp_path, save):
    assert in_two_halves(tmp_path, save) == 0.0


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.distributed)])
def test_lightning_tf_resumes_exactly(tmp_path, devices):
    results = []
    for epochs in ((4,), (2, 4)):
        for number, last in enumerate(epochs):
            model = with_dropout()
            model.compile(keras.optimizers.SGD(0.01), "mse")
            task = KerasTask(model, data=data(*problem(), 4))
            trainer = trainer_of(devices, max_epochs=last)
            trainer.fit(task, ckpt_path=tmp_path / "half" if number else None)
            if last == 2:
                trainer.save_checkpoint(tmp_path / "half")
        results.append(weights(model))
    assert largest_difference(*results) == 0.0


def hidden_kernel(model):
    return np.asarray(model.layers[0].kernel.numpy())


@keras_trap("a layer that is frozen after compile and fit goes on training, without a word")
def test_keras_leaves_a_layer_alone_that_was_frozen_after_a_fit():
    model = net(partial(keras.layers.Dense, 4))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(batches(*problem(), 4), verbose=0)
    model.layers[0].trainable = False
    before = hidden_kernel(model)
    model.fit(batches(*problem(), 4), verbose=0)
    assert (hidden_kernel(model) == before).all()


def test_lightning_tf_leaves_a_layer_alone_that_was_frozen_after_an_epoch():
    class Freezes(Callback):
        def on_train_epoch_start(self, trainer, task):
            if trainer.current_epoch == 1:
                model.layers[0].trainable = False
                self.before = hidden_kernel(model)

    model, freezes = net(partial(keras.layers.Dense, 4)), Freezes()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    task = KerasTask(model, data=data(*problem(), 4))
    Trainer(**quiet(max_epochs=2, callbacks=[freezes])).fit(task)
    assert (hidden_kernel(model) == freezes.before).all()


def product(wanted, score):
    return -wanted * score


def reader():
    """Return an embedding and a batch that reads its second row twice."""
    keras.utils.set_random_seed(1)
    table = keras.layers.Embedding(4, 1, embeddings_initializer="zeros")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), table, keras.layers.Flatten()])
    model.compile(keras.optimizers.Adam(0.1), product)
    return model, np.array([[1, 1]], np.int32), np.array([[2.0, -1.0]], np.float32)


def moved(model):
    """Return the row's value; Adam's first step is its rate, whatever the gradient."""
    return float(np.asarray(model.layers[0].embeddings.numpy())[1, 0])


@keras_trap("Adam adds up the squares of a row that is read twice, not the square of the sum")
def test_keras_takes_a_row_that_is_read_twice_for_one():
    model, x, y = reader()
    model.fit(batches(x, y, 1), verbose=0)
    assert moved(model) == pytest.approx(0.1, rel=1e-3)


def test_lightning_tf_takes_a_row_that_is_read_twice_for_one():
    model, x, y = reader()
    Trainer(**quiet(max_epochs=1)).fit(KerasTask(model, data=data(x, y, 1)))
    assert moved(model) == pytest.approx(0.1, rel=1e-3)
