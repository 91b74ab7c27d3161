"""What a model overrides of Keras' steps: called as fit calls it, with fit's numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted, quiet

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(48, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Base(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, "sigmoid", activity_regularizer="l2")
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x):
        return self.dense(x)


class OwnLoss(Base):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        self.seen.update_state(4.0 * loss)
        return loss + (keras.ops.mean(x**2) if training else 0.0)


class OldLoss(Base):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return keras.ops.mean(keras.ops.abs(y - y_pred)) + sum(self.losses)


class Tracked(Base):
    """As Keras' docs write it."""

    def __init__(self):
        super().__init__()
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = keras.ops.mean((y_pred - y) ** 2)
        self.loss_tracker.update_state(loss)
        return loss

    def reset_metrics(self):
        self.loss_tracker.reset_state()

    @property
    def metrics(self):
        return [self.loss_tracker]


class OwnMetrics(Base):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.seen.update_state(x)
        return super().compute_metrics(x, y, y_pred, sample_weight)


def net(kind):
    keras.utils.set_random_seed(1)
    model = kind()
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def batches(size=12):
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(size)


def by_trainer(model, **arguments):
    history = keras.callbacks.History()
    task = KerasTask(model, data=batches(), validation_data=batches(24))
    fitted(task, max_epochs=2, callbacks=[history], accelerator="cpu", **arguments)
    return history.history


@pytest.mark.parametrize("kind", [OwnLoss, OldLoss, OwnMetrics])
def test_it_is_called_as_fit_calls_it(kind):
    expected = net(kind).fit(
        batches(), validation_data=batches(24), epochs=2, verbose=0, shuffle=False
    )
    values = by_trainer(net(kind))
    # What nobody updates is 0 in Keras, and NaN here, which the log says.
    names = expected.history.keys() - ({"seen", "val_seen"} if kind is OldLoss else set())
    assert values.keys() == expected.history.keys()
    for name in names:
        np.testing.assert_allclose(values[name], expected.history[name], rtol=1e-5, err_msg=name)


@pytest.mark.distributed
@pytest.mark.parametrize("kind", [OwnLoss, OwnMetrics])
def test_replicas_call_it_too(kind):
    one, two = by_trainer(net(kind), devices=1), by_trainer(net(kind), devices=2)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, err_msg=name)


def test_a_tracker_of_the_loss_is_reported_by_its_attribute(caplog):
    model = net(Tracked)
    values = by_trainer(model)
    np.testing.assert_allclose(values["loss_tracker"], values["loss"], rtol=1e-5)
    assert "is reported as 'loss_tracker'" in caplog.text
    assert "reset_metrics of its own, which is not called" in caplog.text
    assert model.compiled
    assert model.evaluate(X, Y, verbose=0, return_dict=True).keys() == {"loss"}


def test_a_value_that_no_metric_gives_is_refused():
    class Extra(Base):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**results, "largest": keras.ops.max(y_pred)}

    with pytest.raises(ConfigurationError, match="returns 'largest'"):
        by_trainer(net(Extra))


def test_a_predict_step_is_called():
    class Own(Base):
        def predict_step(self, data):
            return 2.0 * self(data)

    model = net(Own)
    (values,) = Trainer(**quiet()).predict(KerasTask(model, test_data=batches(48)), collect=True)
    np.testing.assert_allclose(values, model.predict(X, verbose=0), rtol=1e-5)


def test_a_model_without_trainable_weights_is_measured_as_by_fit(caplog):
    def frozen():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.trainable = False
        model.compile("adam", "mse", metrics=["mae"])
        return model

    with pytest.warns(UserWarning, match="does not have any trainable"):
        expected = frozen().fit(
            batches(), validation_data=batches(24), epochs=2, verbose=0, shuffle=False
        )
    model = frozen()
    before = model.get_weights()
    values = by_trainer(model)
    assert "has no trainable weights" in caplog.text
    for name, wanted in expected.history.items():
        np.testing.assert_allclose(values[name], wanted, rtol=1e-5, err_msg=name)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
