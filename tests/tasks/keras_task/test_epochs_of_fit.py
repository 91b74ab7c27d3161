"""steps_per_epoch and initial_epoch: the epochs of fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.beside_fit import assert_alike, by_trainer, dataset
from helpers.boring import quiet

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import KerasTask

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(40, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def net():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


NUMBERS = np.arange(16, dtype="float32")[:, None]


class Reads(keras.layers.Layer):
    """Notes the numbers that pass through."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def call(self, x):
        def note(values):
            self.rows.append(values[:, 0].astype(int).tolist())
            return values

        noted = tf.numpy_function(note, [x], tf.float32, stateful=False)
        noted.set_shape(x.shape)
        return noted


def reading(rows):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,)), Reads(rows), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e-4), "mse")
    return model


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param((NUMBERS, NUMBERS), marks=pytest.mark.slow, id="arrays"),
        pytest.param(dataset(NUMBERS, NUMBERS, size=2), id="a dataset"),
        pytest.param(
            dataset(NUMBERS, NUMBERS, size=2).repeat(), marks=pytest.mark.slow, id="repeats"
        ),
    ],
)
def test_steps_per_epoch_goes_on_in_the_data_as_in_fit(data):
    expected, seen = [], []
    fit = {"epochs": 4, "steps_per_epoch": 3, "verbose": 0, "shuffle": False}
    arrays = isinstance(data, tuple)
    history = (
        reading(expected).fit(*data, batch_size=2, **fit)
        if arrays
        else reading(expected).fit(data, **fit)
    )
    options = {"batch_size": 2, "shuffle": False} if arrays else {}
    values = by_trainer(reading(seen), epochs=4, data=data, steps_per_epoch=3, **options)
    assert [row for row in seen if row] == [row for row in expected if len(row) == 2]
    assert_alike(values, history.history)


@pytest.mark.slow
def test_a_pass_over_the_data_has_an_order_of_its_own():
    def orders(steps):
        task = KerasTask(net(), data=(NUMBERS, NUMBERS), batch_size=4, steps_per_epoch=steps)
        seen = []
        trainer = Trainer(**quiet(max_epochs=2 if steps is None else 4, seed=0))
        task.model = reading(seen)
        trainer.fit(task)
        return [row for row in seen if row]

    assert orders(2) == orders(None)


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(4, marks=pytest.mark.slow, id="between epochs"),
        pytest.param(5, id="inside an epoch"),
    ],
)
def test_steps_per_epoch_is_resumed_exactly(stop, tmp_path, caplog):
    def run(checkpoint=None, **limit):
        history = keras.callbacks.History()
        trainer = Trainer(**quiet(**limit, seed=3, callbacks=[history]))
        data = {"data": (X, Y), "batch_size": 7, "validation_data": (X, Y)}
        trainer.fit(KerasTask(net(), steps_per_epoch=4, **data), ckpt_path=checkpoint)
        return trainer, history.history

    _, expected = run(max_epochs=4)  # of 4, 2, 4 and 2 batches
    first, _ = run(max_steps=stop)
    first.save_checkpoint(tmp_path / "x")
    second, rest = run(tmp_path / "x", max_epochs=4)
    assert second.global_step == 12
    assert "Training goes on so" not in caplog.text
    for name, values in rest.items():  # but for the epoch that was cut, whose sums end in between
        assert values[1:] == expected[name][1 - len(values) :], name


def test_steps_per_epoch_needs_to_know_where_an_epoch_goes_on():
    unknown = dataset(X, Y).filter(lambda *batch: True)
    with pytest.raises(ConfigurationError, match=r"end with \.repeat\(\)"):
        by_trainer(net(), data=unknown, steps_per_epoch=2)


def test_a_fit_begins_with_the_initial_epoch(tmp_path):
    options = {"data": dataset(X, Y), "validation_data": dataset(X, Y)}
    expected = net().fit(
        options["data"],
        validation_data=options["data"],
        initial_epoch=2,
        epochs=5,
        verbose=0,
        shuffle=False,
    )
    history = keras.callbacks.History()
    trainer = Trainer(**quiet(max_epochs=5, callbacks=[history]))
    trainer.fit(KerasTask(net(), initial_epoch=2, **options))
    assert history.epoch == expected.epoch == [2, 3, 4]
    assert_alike(history.history, expected.history)

    one = Trainer(**quiet(max_epochs=4))
    one.fit(KerasTask(net(), initial_epoch=2, **options))
    one.save_checkpoint(tmp_path / "x")
    rest = keras.callbacks.History()
    again = Trainer(**quiet(max_epochs=5, callbacks=[rest]))
    again.fit(KerasTask(net(), initial_epoch=2, **options), ckpt_path=tmp_path / "x")
    assert rest.epoch == [4]
    assert rest.history["loss"] == history.history["loss"][-1:]
