"""Pairs of tests on two devices: one of Keras' fit, one of the Trainer.

Both assert what is right; the one of Keras is expected to fail.
"""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.replicated import trainer_of
from parity.traps import (
    batches,
    data,
    keras_trap,
    largest_difference,
    net,
    problem,
    two_devices,
    weights,
)

from lightning_tf import Task
from lightning_tf.optimizers.loss_scaler import INITIAL_LOSS_SCALE
from lightning_tf.precision import use_policy
from lightning_tf.tasks import KerasTask

pytestmark = [pytest.mark.distributed, pytest.mark.filterwarnings("ignore")]


def by_keras(strategy, make, x, y, size, epochs=1, **compiled):
    """Return the weights after fit."""
    with strategy.scope():
        model = make()
        optimizer = compiled.pop("optimizer", lambda: keras.optimizers.SGD(0.1))()
        model.compile(optimizer, "mse", **compiled)
    model.fit(batches(x, y, size), epochs=epochs, verbose=0)
    return weights(model)


def by_trainer(devices, make, x, y, size, optimizer=lambda: keras.optimizers.SGD(0.1), **trainer):
    model = make()
    model.compile(optimizer(), "mse")
    task = KerasTask(model, data=data(x, y, size))
    trainer_of(devices, **{"max_epochs": 1, **trainer}).fit(task)
    return weights(model)


def one_device():
    return tf.distribute.get_strategy()


# ---- an overflow on the second replica only


class Overflowing(keras.layers.Layer):
    """The gradient of an example beyond 100 is infinite."""

    def call(self, x):
        factor = tf.where(tf.reduce_any(tf.abs(x) > 100.0), np.float32(np.inf), 1.0)

        @tf.custom_gradient
        def same(value):
            return tf.identity(value), lambda upstream: upstream * tf.cast(factor, upstream.dtype)

        return same(x)


def overflowing():
    with use_policy("mixed_float16"):
        return net(partial(keras.layers.Dense, 3), partial(Overflowing, dtype="float32"))


def with_overflow():
    x, y = problem(4)
    x[3] = -1000.0
    return x, y


@keras_trap("the finite test looks at the first replica's gradients only")
def test_keras_skips_an_update_that_overflows_on_the_second_replica():
    x, y = with_overflow()
    # Small enough that nothing else overflows.
    optimizer = partial(
        keras.optimizers.LossScaleOptimizer, keras.optimizers.SGD(0.1), initial_scale=1.0
    )
    results = by_keras(two_devices(), overflowing, x, y, 4, optimizer=optimizer)
    assert all(np.isfinite(value).all() for value in results)


def test_lightning_tf_skips_an_update_that_overflows_on_the_second_replica():
    x, y = with_overflow()
    model = overflowing()
    before = weights(model)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    trainer = trainer_of(2, max_epochs=1, precision="16-mixed", num_sanity_val_steps=0)
    trainer.fit(KerasTask(model, data=data(x, y, 4)))
    assert largest_difference(before, weights(model)) == 0.0
    scale = trainer.training.optimizers[""].loss_scaler.scale
    assert float(scale.numpy()) == INITIAL_LOSS_SCALE / 2


# ---- several steps in a graph call, accumulation


@keras_trap("'You must feed a value for placeholder'", raises=tf.errors.InvalidArgumentError)
def test_keras_runs_several_steps_in_a_call_on_two_devices():
    by_keras(two_devices(), net, *problem(), 4, steps_per_execution=2)


def test_lightning_tf_runs_several_steps_in_a_call_on_two_devices():
    x, y = problem()
    assert largest_difference(by_trainer(1, net, x, y, 4), by_trainer(2, net, x, y, 4)) < 1e-6


@keras_trap("'merge_call called while defining a new graph'", raises=RuntimeError)
def test_keras_accumulates_gradients_on_two_devices():
    optimizer = lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)  # noqa: E731
    by_keras(two_devices(), net, *problem(), 4, optimizer=optimizer)


def test_lightning_tf_accumulates_gradients_on_two_devices():
    x, y = problem()
    one, two = (by_trainer(n, net, x, y, 4, accumulate_grad_batches=2) for n in (1, 2))
    assert largest_difference(one, two) < 1e-6


# ---- clipping

CLIPPED = {
    "clipnorm": lambda: keras.optimizers.SGD(1.0, clipnorm=0.1),
    "global_clipnorm": lambda: keras.optimizers.SGD(1.0, global_clipnorm=0.1),
    "clipvalue": lambda: keras.optimizers.SGD(1.0, clipvalue=0.1),
}


@keras_trap("each replica's gradients are clipped before the sum")
@pytest.mark.parametrize("kind", CLIPPED)
def test_keras_clips_what_is_summed(kind):
    x, y = problem(4)
    results = by_keras(two_devices(), net, x, y, 4, optimizer=CLIPPED[kind])
    assert (
        largest_difference(by_keras(one_device(), net, x, y, 4, optimizer=CLIPPED[kind]), results)
        < 1e-5
    )


@pytest.mark.parametrize("kind", CLIPPED)
def test_lightning_tf_clips_what_is_summed(kind):
    x, y = problem(4)
    results = by_trainer(2, net, x, y, 4, CLIPPED[kind])
    assert (
        largest_difference(by_keras(one_device(), net, x, y, 4, optimizer=CLIPPED[kind]), results)
        < 1e-5
    )


# ---- batches that do not divide


@keras_trap(
    "the shapes of the first batch's parts are added", raises=tf.errors.InvalidArgumentError
)
def test_keras_takes_a_first_batch_that_does_not_divide():
    by_keras(two_devices(), net, *problem(12), 3)


def test_lightning_tf_takes_a_first_batch_that_does_not_divide():
    x, y = problem(12)
    results = by_trainer(2, net, x, y, 3)
    assert largest_difference(by_keras(one_device(), net, x, y, 3), results) < 1e-6


def normalized():
    return net(
        partial(keras.layers.Dense, 4), partial(keras.layers.BatchNormalization, synchronized=True)
    )


@keras_trap("a replica that the last batch leaves empty counts, or makes NaN")
@pytest.mark.parametrize("make", [net, normalized])
def test_keras_takes_a_last_batch_that_leaves_a_replica_empty(make):
    x, y = problem(9)
    results = by_keras(two_devices(), make, x, y, 4, epochs=5)
    assert largest_difference(by_keras(one_device(), make, x, y, 4, epochs=5), results) < 1e-4


@pytest.mark.parametrize("make", [net, normalized])
def test_lightning_tf_takes_a_last_batch_that_leaves_a_replica_empty(make):
    x, y = problem(9)
    results = by_trainer(2, make, x, y, 4, max_epochs=5)
    assert largest_difference(by_keras(one_device(), make, x, y, 4, epochs=5), results) < 1e-4


# ---- two optimizers


class TwoModels(keras.Model):
    """As a GAN is written in Keras: two optimizers that nobody builds before."""

    def __init__(self):
        super().__init__()
        self.first, self.second = net(), net()
        self.optimizers = [keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)]

    def call(self, x):
        return self.first(x) + self.second(x)

    def train_step(self, pair):
        x, y = pair
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean((self(x) - y) ** 2)
        for model, optimizer in zip((self.first, self.second), self.optimizers, strict=True):
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return {"loss": loss}


class TwoModelsTask(Task):
    def __init__(self, masked):
        self.data = masked

    def configure_model(self):
        self.first, self.second = net(), net()

    def configure_optimizers(self):
        return {"first": keras.optimizers.Adam(0.01), "second": keras.optimizers.Adam(0.02)}

    def training_step(self, batch):
        x, y = batch
        loss = tf.reduce_mean((self.first(x) + self.second(x) - y) ** 2)
        return {"first": loss, "second": loss}

    def validation_step(self, batch):
        return None


@keras_trap("an optimizer that is built inside the step fails", raises=tf.errors.OpError)
def test_keras_trains_two_optimizers_on_two_devices():
    with two_devices().scope():
        model = TwoModels()
        model.compile()
    model.fit(batches(*problem(), 4), verbose=0)


def test_lightning_tf_trains_two_optimizers_on_two_devices():
    results = []
    for devices in (1, 2):
        task = TwoModelsTask(data(*problem(), 4))
        trainer_of(devices, max_epochs=1).fit(task)
        results.append(weights(task.first) + weights(task.second))
    assert largest_difference(*results) < 1e-6


# ---- what a replica keeps for itself


def unsynchronized():
    return net(partial(keras.layers.BatchNormalization, momentum=0.5))


def far_apart():
    """Batches whose second half lies elsewhere."""
    x, y = problem(16)
    x.reshape(4, 4, 3)[:, 2:] += 10.0
    return x, y


@keras_trap("moving statistics drift apart and those of the first replica are saved")
def test_keras_keeps_moving_statistics_of_all_replicas():
    x, y = far_apart()
    results = by_keras(two_devices(), unsynchronized, x, y, 4)
    moving_mean = results[2]
    assert moving_mean.max() > 2.0, "the first replica has seen nothing but small numbers"


def test_lightning_tf_keeps_moving_statistics_of_all_replicas():
    x, y = far_apart()
    assert by_trainer(2, unsynchronized, x, y, 4)[2].max() > 2.0
    one, two = (by_trainer(n, unsynchronized, x, y, 4, sync_batchnorm=True) for n in (1, 2))
    assert largest_difference(one, two) < 1e-5


@keras_trap("all replicas draw the same mask")
def test_keras_draws_a_mask_for_each_replica():
    with two_devices().scope():
        dropout = keras.layers.Dropout(0.5, seed=3)

    @tf.function
    def masks():
        return two_devices().run(lambda: dropout(tf.ones([64]), training=True))

    one, other = two_devices().experimental_local_results(masks())
    assert (one.numpy() != other.numpy()).any()


def test_lightning_tf_draws_a_mask_for_each_replica():
    class Masks(TwoModelsTask):
        def configure_model(self):
            super().configure_model()
            self.dropout = keras.layers.Dropout(0.5, seed=3)

        def predict_step(self, batch):
            x, _ = batch
            return self.dropout(tf.ones([tf.shape(x)[0], 64]), training=True)

    masked = data(*problem(2), 2)
    masked.predict_dataset = masked.val_dataset
    ((one, other),) = trainer_of(2).predict(Masks(masked), collect=True)
    assert (one != other).any()
