"""Metrics that a model or a layer has and updates itself: reported and reset as fit does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, fitted

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 48)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Activity(keras.layers.Layer):
    """Measures the mean of what passes through."""

    def __init__(self, name="activity"):
        super().__init__()
        self.mean = keras.metrics.Mean(name=name)
        self.held = {"largest": [keras.metrics.Sum(name=f"{name}_sum")]}

    def call(self, x):
        self.mean.update_state(x)
        self.held["largest"][0].update_state(tf.reduce_sum(tf.abs(x)))
        return x


class Measured(keras.Model):
    def __init__(self, name="norm"):
        super().__init__()
        self.dense, self.activity = keras.layers.Dense(3), Activity()
        self.norm = keras.metrics.Mean(name=name)

    def call(self, x):
        logits = self.activity(self.dense(x))
        self.norm.update_state(tf.norm(logits, axis=-1))
        return logits


def model(**options):
    keras.utils.set_random_seed(1)
    return Measured(**options)


def batches(count=48):
    return tf.data.Dataset.from_tensor_slices((X[:count], Y[:count])).batch(12)


def by_fit(net):
    net.compile("sgd", LOSS, metrics=["accuracy"])
    options = {"epochs": 2, "verbose": 0, "shuffle": False}
    history = net.fit(batches(), validation_data=batches(30), **options).history
    return history, net.evaluate(batches(30), return_dict=True, verbose=0)


def by_trainer(net, **arguments):
    task = KerasTask(
        net,
        loss=LOSS,
        optimizer="sgd",
        metrics=["accuracy"],
        data=batches(),
        validation_data=batches(30),
        test_data=batches(30),
    )
    history = keras.callbacks.History()
    trainer = fitted(task, max_epochs=2, callbacks=[history], accelerator="cpu", **arguments)
    return history.history, trainer.test(task)


def assert_alike(history, expected):
    assert history.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.distributed)])
def test_they_are_reported_and_reset_as_fit_does(devices):
    expected, evaluated = by_fit(model())
    history, tested = by_trainer(model(), devices=devices)
    assert {"activity", "val_activity_sum", "norm", "val_norm"} <= history.keys()
    assert_alike(history, expected)
    assert_alike(tested, {f"test_{name}": value for name, value in evaluated.items()})


def test_a_validation_inside_the_epoch_does_not_reach_the_epochs_numbers():
    expected, _ = by_fit(model())
    history, _ = by_trainer(model(), val_check_interval=1)
    assert_alike(
        {n: v for n, v in history.items() if n[:4] != "val_"},
        {n: v for n, v in expected.items() if n[:4] != "val_"},
    )


def test_the_objects_stay_as_they_were():
    net = model()
    by_trainer(net)
    assert float(net.norm.result()) == 0.0
    net(X[:2])
    assert float(net.norm.result()) > 0.0


def test_one_that_is_called_as_a_compiled_one_is_refused():
    with pytest.raises(ConfigurationError, match="'accuracy' is compiled and one that model"):
        by_trainer(model(name="accuracy"))


def test_a_task_reports_a_layers_metric_that_it_returns():
    class Own(BoringTask):
        def configure_model(self):
            super().configure_model()
            self.activity = Activity()

        def configure_metrics(self):
            return {"activity": self.activity.mean}

        def training_step(self, batch):
            return self._loss(batch)

        def validation_step(self, batch):
            return self._loss(batch)

        def _loss(self, batch):
            x, y = batch
            return LOSS(y, self.activity(self.model(x)))

    trainer = fitted(Own(BoringData()), max_epochs=1)
    assert trainer.callback_metrics["activity"] != trainer.callback_metrics["val_activity"]


@pytest.mark.parametrize("method", ["train_step", "make_train_function", "get_metrics_result"])
def test_what_fit_would_call_of_a_model_and_a_trainer_would_not_is_refused(method):
    own = type("Own", (Measured,), {method: lambda self, *args, **kwargs: None})
    with pytest.raises(ConfigurationError, match=f"has a {method} of its own"):
        KerasTask(own(), loss=LOSS, optimizer="sgd", data=batches())


def test_a_step_set_on_the_model_itself_counts_as_its_own():
    net = model()
    net.train_step = lambda batch: {}
    with pytest.raises(ConfigurationError, match="has a train_step of its own"):
        KerasTask(net, loss=LOSS, optimizer="sgd", data=batches())
