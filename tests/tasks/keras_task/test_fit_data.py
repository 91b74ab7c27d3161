"""What fit takes as data, and what it makes of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.beside_fit import assert_alike, by_trainer, dataset
from helpers.boring import BoringData, fitted, quiet
from helpers.variants import slow_but

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(40, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
W = np.linspace(0.5, 2.0, 40).astype("float32")
FIT = {"epochs": 2, "batch_size": 16, "shuffle": False}


def net(*inputs):
    keras.utils.set_random_seed(1)
    inputs = inputs or [keras.Input((4,))]
    both = inputs[0] if len(inputs) == 1 else keras.layers.concatenate([*inputs])
    model = keras.Model(inputs[0] if len(inputs) == 1 else [*inputs], keras.layers.Dense(1)(both))
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    return model


def two():
    return net(keras.Input((4,), name="p"), keras.Input((3,), name="q"))


def by_dict():
    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((4,), name=name) for name in "qp"}
    hidden = keras.layers.Dense(2)(inputs["q"])
    model = keras.Model(
        inputs, keras.layers.Dense(1)(keras.layers.concatenate([hidden, inputs["p"]]))
    )
    model.compile("sgd", "mse")
    return model


HELD_OUT = {
    "weights on one side": ((X, Y), (X[:9], Y[:9], W[:9])),
    "weights on the other": ((X, Y, W), (X[:9], Y[:9])),
    "a dataset beside arrays": ((X, Y, W), dataset(X[:9], Y[:9], size=16)),
    "a list": ((X, Y), [X[:9], Y[:9]]),
}


@pytest.mark.parametrize(
    "case", slow_but(HELD_OUT, "weights on the other", "a dataset beside arrays")
)
def test_validation_data_of_another_kind_are_measured_as_by_fit(case):
    data, held_out = HELD_OUT[case]
    x, y, weight = (*data, None)[:3]
    expected = net().fit(x, y, sample_weight=weight, validation_data=held_out, verbose=0, **FIT)
    options = {"batch_size": 16, "shuffle": False, "validation_data": held_out}
    assert_alike(by_trainer(net(), data=data, **options), expected.history)


def test_arrays_beside_a_dataset_come_in_batches_of_their_own_size():
    task = KerasTask(net(), data=dataset(X, Y), validation_data=(X, Y), validation_batch_size=10)
    assert [len(x) for x, _ in task.data.val_dataset()] == [10] * 4
    assert [
        len(x)
        for x, _ in KerasTask(net(), data=dataset(X, Y), validation_data=(X, Y)).data.val_dataset()
    ] == [32, 8]
    task = KerasTask(
        net(), data=(X, Y), validation_data=(X, Y), batch_size=8, validation_batch_size=10
    )
    assert [len(x) for x, _ in task.data.val_dataset()] == [10] * 4
    assert len(task.data.train_dataset(0)) == 5
    expected = net().fit(dataset(X, Y), validation_data=(X, Y), epochs=2, shuffle=False, verbose=0)
    assert_alike(by_trainer(net(), data=dataset(X, Y), validation_data=(X, Y)), expected.history)


def test_validation_split_takes_the_last_part_as_fit_does():
    options = {"validation_split": 0.3, "batch_size": 16, "shuffle": False}
    expected = net().fit(X, Y, sample_weight=W, epochs=2, verbose=0, **options)
    assert_alike(by_trainer(net(), data=(X, Y, W), **options), expected.history)
    task = KerasTask(net(), data=(X, Y), validation_split=0.25)
    ((x, _),) = task.data.val_dataset()
    np.testing.assert_array_equal(x, X[30:])


INPUTS = {
    "a list": ([X, X[:, :3]], two),
    "a tuple": ((X, X[:, :3]), two),
    "a dict by the inputs' names": ({"q": X[:, :3], "p": X}, two),
    "a dict with more than the model declares": ({"a": -X, "p": X, "q": 2 * X, "z": X}, by_dict),
}


@pytest.mark.parametrize(
    "case", slow_but(INPUTS, "a list", "a dict with more than the model declares")
)
def test_several_inputs_are_read_as_by_fit(case):
    x, make = INPUTS[case]
    declared = {n: x[n] for n in ("p", "q")} if isinstance(x, dict) else x
    expected = make().fit(declared, Y, verbose=0, **FIT)
    values = by_trainer(make(), data=(x, Y), batch_size=16, shuffle=False)
    assert_alike(values, expected.history)


def test_a_dict_without_an_input_is_refused():
    for make in (two, by_dict):
        with pytest.raises(ConfigurationError, match="'p' is missing"):
            fitted(KerasTask(make(), data=({"q": X, "r": X}, Y)), max_epochs=1)


def test_an_input_may_be_none():
    def optional():
        one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other", optional=True)

        class Sum(keras.layers.Layer):
            def call(self, x, y=None):
                return x if y is None else x + y

        keras.utils.set_random_seed(1)
        model = keras.Model([one, other], keras.layers.Dense(1)(Sum()(one, other)))
        model.compile("sgd", "mse")
        return model

    expected = optional().fit([X, None], Y, verbose=0, **FIT)
    values = by_trainer(optional(), data=([X, None], Y), batch_size=16, shuffle=False)
    assert_alike(values, expected.history)
    with pytest.raises(ValueError, match="not optional"):
        fitted(KerasTask(two(), data=([X, None], Y)), max_epochs=1)


def test_a_model_is_evaluated_and_predicts_without_training_data_and_optimizer():
    model, plain = net(), keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    expected = model.evaluate(X, Y, sample_weight=W, return_dict=True, verbose=0)
    values = Trainer(**quiet()).test(KerasTask(model, test_data=(X, Y, W)))
    assert_alike({name.removeprefix("test_"): v for name, v in values.items()}, expected)
    validated = Trainer(**quiet()).validate(KerasTask(model, validation_data=dataset(X, Y, W)))
    assert validated["val_loss"] == pytest.approx(expected["loss"], rel=1e-5)

    for data in (X, (X,), dataset(X, size=40)):
        task = KerasTask(plain, test_data=data)
        outputs = Trainer(**quiet()).predict(task, collect=True)
        np.testing.assert_allclose(np.concatenate(outputs), plain.predict(X, verbose=0), rtol=1e-5)
    with pytest.raises(DataError, match="gave nothing"):
        fitted(KerasTask(model, test_data=(X, Y)), max_epochs=1)


def test_inputs_alone_train_a_model_that_adds_its_loss():
    class Penalty(keras.layers.Layer):
        def call(self, x):
            self.add_loss(tf.reduce_mean(x**2))
            return x

    def make():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1), Penalty()])
        model.compile("sgd")
        return model

    expected = make().fit(X, verbose=0, **FIT)
    assert_alike(by_trainer(make(), data=X, batch_size=16, shuffle=False), expected.history)


def test_options_that_do_not_go_with_the_data_are_refused():
    cases = [
        ({"data": dataset(X, Y), "validation_split": 0.2}, "validation_split=0.2 has no meaning"),
        (
            {"data": dataset(X, Y), "validation_batch_size": 2},
            "validation_batch_size=2 has no mean",
        ),
        (
            {"data": dataset(X, Y), "batch_size": 4, "validation_data": (X, Y)},
            "batch_size=4 has no",
        ),
        ({"data": (X, Y), "validation_split": 1.5}, "give a share between 0 and 1"),
        ({"data": (X[:1], Y[:1]), "validation_split": 0.5}, "leaves 0 to train on and 1"),
        ({"data": (X, Y), "validation_split": 0.2, "val_fraction": 0.2}, "give one of them"),
        ({"data": (X, Y), "columns": "x"}, "only HuggingFace's data sets have columns"),
        ({"data": BoringData(), "steps_per_epoch": 0}, "steps_per_epoch"),
        ({"data": (X, None, W)}, "weights and no targets"),
        ({"data": BoringData(), "validation_data": (X, Y)}, "brings its own"),
        ({"validation_data": (X, Y), "shuffle": False}, "no training to order"),
        ({"data": (tf.ragged.constant([[1.0], [2.0, 3.0]]), Y[:2])}, r"give batches: tf\.data"),
    ]
    for options, said in cases:
        with pytest.raises(ConfigurationError, match=said):
            KerasTask(net(), **options)


def hugging_face(count=40):
    datasets = pytest.importorskip("datasets")
    columns = {
        "pixels": X[:count].tolist(),
        "other": X[:count, 0].tolist(),
        "label": Y[:count, 0].tolist(),
    }
    return datasets, datasets.Dataset.from_dict(columns)


def test_columns_of_hugging_face_are_told_by_name():
    datasets, table = hugging_face()
    both = datasets.DatasetDict(train=table, validation=table.select(range(9)))
    options = {"columns": "pixels", "label_columns": "label", "batch_size": 16, "shuffle": False}
    y = Y[:, 0]
    expected = net().fit(X, y, validation_data=(X[:9], y[:9]), verbose=0, **FIT)
    assert_alike(by_trainer(net(), data=both, **options), expected.history)
    task = KerasTask(net(), data=table, columns=["pixels", "other"], label_columns="label")
    assert set(task.data.train_dataset(0).element_spec[0]) == {"pixels", "other"}
    for columns, said in ((None, "say which are the inputs"), ("pixel", "Did you mean 'pixels'")):
        with pytest.raises(ConfigurationError, match=said):
            KerasTask(net(), data=table, columns=columns)


def test_entry_points_are_given_what_fit_evaluate_and_predict_take():
    expected = net().fit(X, Y, sample_weight=W, validation_data=(X, Y), verbose=0, **FIT)
    task, history = KerasTask(net(), batch_size=16, shuffle=False), keras.callbacks.History()
    trainer = Trainer(**quiet(max_epochs=2, callbacks=[history]))
    with pytest.raises(ConfigurationError, match="data"):
        trainer.fit(task)
    trainer.fit(task, (X, Y, W), (X, Y))
    assert_alike(history.history, expected.history)
    plain = Trainer(**quiet())
    evaluated = task.model.evaluate(X, Y, sample_weight=W, return_dict=True, verbose=0)
    values = plain.test(task, (X, Y, W))
    assert_alike({name.removeprefix("test_"): v for name, v in values.items()}, evaluated)
    outputs = np.concatenate(plain.predict(task, X, collect=True))
    np.testing.assert_allclose(outputs, task.model.predict(X, verbose=0), rtol=1e-5)
    several = plain.validate(task, {"one": dataset(X, Y), "two": dataset(X, Y)})
    assert {"val_one_loss", "val_two_mae"} <= several.keys()


def test_a_sequential_takes_its_input_by_name():
    def make():
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((2,), name="q"), keras.layers.Dense(1)])

    x, y = np.arange(16, dtype="float32").reshape(8, 2) / 16, np.ones((8, 1), "float32")
    task, expected = KerasTask(make(), "mse", "sgd", data=({"q": x}, y), shuffle=False), make()
    expected.compile("sgd", "mse")
    expected.fit(x, y, verbose=0, shuffle=False)
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(task)
    for ours, theirs in zip(task.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    (predicted,) = trainer.predict(task, {"q": x}, collect=True)
    np.testing.assert_allclose(predicted, expected.predict(x, verbose=0), rtol=1e-5)
