"""KerasTask: the numbers of Model.fit, and a refusal wherever they would differ."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, fitted, quiet

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(70, 8)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + (X[:, 1] > 0)
W = RANDOM.uniform(size=70).astype("float32")


def model(**compiled):
    keras.utils.set_random_seed(1)
    dense = keras.layers.Dense(16, activation="relu", kernel_regularizer="l2")
    net = keras.Sequential([keras.Input((8,)), dense, keras.layers.Dense(3, "softmax")])
    if compiled:
        net.compile(**compiled)
    return net


def batches(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(16)


def same_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("arrays", [(X, Y), (X, Y, W)], ids=["plain", "weighted"])
def test_a_compiled_model_gets_the_numbers_of_fit(arrays):
    compiled = {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "weighted_metrics": [keras.metrics.SparseCategoricalCrossentropy(name="entropy")],
    }
    by_fit, by_trainer = model(**compiled), model(**compiled)
    history = by_fit.fit(
        batches(*arrays), epochs=3, validation_data=batches(*arrays), verbose=0
    ).history
    task = KerasTask(by_trainer, data=batches(*arrays), validation_data=batches(*arrays))
    metrics = fitted(task, max_epochs=3).callback_metrics
    same_weights(by_fit, by_trainer)
    assert set(metrics) == set(history)
    for name, values in history.items():
        assert metrics[name] == pytest.approx(values[-1], rel=1e-4), name


def test_a_model_that_is_not_compiled_takes_what_is_given():
    net = model()
    task = KerasTask(
        net,
        loss=keras.losses.SparseCategoricalCrossentropy(),
        optimizer=keras.optimizers.SGD(0.1),
        metrics=["accuracy"],
        data=(X, Y),
        val_fraction=0.2,
        batch_size=10,
    )
    trainer = fitted(task, max_epochs=2)
    assert trainer.global_step == 12
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(trainer.callback_metrics)


def test_given_arguments_go_before_the_compiled_ones():
    net = model(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    task = KerasTask(net, optimizer=keras.optimizers.SGD(0.0), metrics=["acc"], data=(X, Y))
    before = net.get_weights()
    metrics = fitted(task, max_epochs=1).callback_metrics
    assert set(metrics) == {"loss", "acc"}
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_arrays_train_on_all_examples_unless_some_are_held_out():
    net = model(optimizer="adam", loss="sparse_categorical_crossentropy")
    task = KerasTask(net, data=(X, Y), batch_size=7)
    assert fitted(task, max_epochs=1).global_step == 10
    assert task.data.dataset_for("val") is None


def test_weighted_arrays_are_weighted_in_every_stage():
    net = model(optimizer=keras.optimizers.SGD(0.0), loss="sparse_categorical_crossentropy")
    held_out = (X[:20], Y[:20], W[:20])
    task = KerasTask(net, data=(X, Y, W), validation_data=held_out, test_data=held_out)
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(task)
    expected = net.evaluate(*held_out[:2], sample_weight=held_out[2], verbose=0)
    assert trainer.callback_metrics["val_loss"] == pytest.approx(expected, rel=1e-5)
    assert trainer.test(task)["test_loss"] == pytest.approx(expected, rel=1e-5)
    predictions = np.concatenate(trainer.predict(task, collect=True))
    np.testing.assert_allclose(predictions, net.predict(X[:20], verbose=0), rtol=1e-5)


def test_a_mask_reaches_loss_and_metrics_as_in_fit():
    def sequence():
        keras.utils.set_random_seed(2)
        net = keras.Sequential(
            [keras.layers.Embedding(9, 4, mask_zero=True), keras.layers.Dense(5, "softmax")]
        )
        net.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return net

    tokens = RANDOM.integers(0, 9, (32, 6)) * RANDOM.integers(0, 2, (32, 6))
    tags = RANDOM.integers(0, 5, (32, 6))
    by_fit, by_trainer = sequence(), sequence()
    history = by_fit.fit(tokens, tags, batch_size=32, shuffle=False, verbose=0).history
    metrics = fitted(KerasTask(by_trainer, data=(tokens, tags)), max_epochs=1).callback_metrics
    assert metrics["loss"] == pytest.approx(history["loss"][0], rel=1e-4)
    same_weights(by_fit, by_trainer)


def test_a_data_module_is_used_as_it_is():
    net = keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    task = KerasTask(net, loss, "adam", ["accuracy"], BoringData())
    assert "val_accuracy" in fitted(task, max_epochs=1).callback_metrics
    with pytest.raises(ConfigurationError, match="batch_size=4"):
        KerasTask(net, loss, "adam", data=BoringData(), batch_size=4)


def test_layers_that_add_the_only_loss_train():
    class Penalty(keras.layers.Layer):
        def call(self, x):
            self.add_loss(tf.reduce_mean(x**2))
            return x

    net = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3), Penalty()])
    net.compile("sgd")
    metrics = fitted(KerasTask(net, data=(X, Y)), max_epochs=3).callback_metrics
    assert metrics["loss"] > 0
    plain = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    plain.compile("sgd")
    with pytest.raises(ConfigurationError, match="loss is None"):
        fitted(KerasTask(plain, data=(X, Y)), max_epochs=1)


class OwnStep(keras.Model):
    def train_step(self, data):
        return {}


def test_what_the_trainer_would_do_otherwise_than_fit_is_refused():
    compiled = {"optimizer": "adam", "loss": "mse"}
    cases = [
        (lambda: KerasTask("model", data=(X, Y)), "model is a str"),
        (lambda: KerasTask(OwnStep(), "mse", "adam", data=(X, Y)), "train_step of its own"),
        (lambda: KerasTask(model(), "mse", "adma", data=(X, Y)), "adma"),
        (lambda: KerasTask(model(**compiled), data=3), "data is a int"),
        (lambda: KerasTask(model(**compiled), data=batches(X, Y), batch_size=3), "batch_size=3"),
    ]
    for make, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            make()
    with pytest.raises(ConfigurationError, match="optimizer is None"):
        fitted(KerasTask(model(), "mse", data=(X, Y)), max_epochs=1)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("max_epochs", "max_epochs"), ("max_steps_per_epoch", "limit_train_batches")],
)
def test_limits_of_keras_config_are_refused(name, argument, monkeypatch):
    monkeypatch.setattr(keras.config, name, lambda: 2)
    with pytest.raises(ConfigurationError, match=rf"keras\.config\.{name}.*Trainer\({argument}=2"):
        fitted(KerasTask(model(), "mse", "adam", data=(X, Y)), max_epochs=1)


def test_run_eagerly_is_told_to_change_nothing(caplog):
    KerasTask(model(optimizer="adam", loss="mse", run_eagerly=True), data=(X, Y))
    assert "run_eagerly=True" in caplog.text
    caplog.clear()
    KerasTask(model(optimizer="adam", loss="mse"), data=(X, Y))
    assert not caplog.text


def test_inputs_alone_of_a_model_of_several_are_predicted():
    a, b = keras.Input((8,)), keras.Input((8,))
    net = keras.Model([a, b], keras.layers.Dense(1)(keras.layers.concatenate([a, b])))
    inputs = tf.data.Dataset.from_tensor_slices((X, 2.0 * X)).batch(70)

    class Predicts(BoringData):
        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensor_slices(((X, X), Y)).batch(16)

        def predict_dataset(self):
            return inputs

    task = KerasTask(net, "mse", "sgd", data=Predicts())
    (predicted,) = Trainer(**quiet()).predict(task, collect=True)
    np.testing.assert_allclose(predicted, net.predict([X, 2.0 * X], verbose=0), rtol=1e-5)


@pytest.mark.parametrize("shape", [lambda y: [y], lambda y: {"out": y}], ids=["list", "dict"])
def test_the_one_output_of_a_model_may_stand_in_a_list_or_a_dict(shape):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8,))
    net = keras.Model(inputs, shape(keras.layers.Dense(1, name="out")(inputs)))
    named = isinstance(net.output, dict)
    y = Y[:, None].astype("float32")
    data = batches(X, {"out": y} if named else y)
    task = KerasTask(net, "mse", "sgd", ["mae"], data=data, validation_data=data)
    values = fitted(task, max_epochs=1).callback_metrics
    assert {"loss", "mae", "val_loss", "val_mae"} <= values.keys()


def test_a_dict_of_arrays_trains_as_in_fit_and_its_order_can_stay():
    def net():
        keras.utils.set_random_seed(1)
        inputs = {name: keras.Input((8,), name=name) for name in ("a", "b")}
        both = keras.layers.concatenate([inputs["b"], inputs["a"]])
        net = keras.Model(inputs, keras.layers.Dense(3, "softmax")(both))
        net.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        return net

    x = {"a": X, "b": 2.0 * X}
    one, other = net(), net()
    one.fit({name: array[:64] for name, array in x.items()}, Y[:64], shuffle=False, verbose=0)
    task = KerasTask(other, data=(x, Y), shuffle=False, drop_remainder=True)
    trainer = fitted(task, max_epochs=1)
    assert trainer.global_step == 2
    same_weights(one, other)
    np.testing.assert_allclose(task.predict_step(x), one.predict(x, verbose=0), rtol=1e-4)


def test_an_order_that_is_not_ours_to_choose_is_refused():
    listed = [(X[:8], Y[:8]), (X[8:16], Y[8:16])]
    net = model(optimizer="adam", loss="sparse_categorical_crossentropy")
    data = KerasTask(net, data=[*listed, *listed], shuffle=False).data
    first = [batch[1][0] for batch in data.train_dataset(epoch=1).as_numpy_iterator()]
    assert first == [Y[0], Y[8]] * 2
    for source, options, said in (
        (batches(X, Y), {"shuffle": False}, "their order is what they give"),
        ([*listed, *listed], {"drop_remainder": True}, "batch them there"),
        (BoringData(), {"shuffle": False}, "has no meaning"),
        ((X, Y), {"shuffle": "no"}, "give True or False"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            KerasTask(net, data=source, **options)
