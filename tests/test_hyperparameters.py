import enum
import json
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, NumberData, NumberTask, fitted, quiet

from lightning_tf import Task, Trainer
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.hyperparameters import (
    call_arguments,
    checked_state,
    hparams_differences,
    plain,
    plain_arguments,
)
from lightning_tf.tasks import ImageClassification


class Network(Task):
    """A network whose arguments are of every kind."""

    def __init__(self, units, *sizes, rate=0.5, lazy=False, data=None, **others):
        self.units, self.sizes, self.rate, self.others = units, sizes, rate, others
        self.lazy = lazy
        self.data = data or BoringData()

    def configure_model(self):
        first = [] if self.lazy else [keras.Input((32,))]
        sizes = (self.units, *self.sizes)
        self.model = keras.Sequential([*first, *(keras.layers.Dense(size) for size in sizes)])

    def configure_optimizers(self):
        return keras.optimizers.SGD(0.01)

    def training_step(self, batch):
        return tf.reduce_mean(self.model(batch[0]) ** 2)

    def predict_step(self, batch):
        return self.model(batch)


def saved(task, tmp_path, **arguments):
    fitted(task, max_steps=1, limit_val_batches=0, **arguments).save_checkpoint(tmp_path / "a")
    return tmp_path / "a"


def test_a_task_is_rebuilt_with_its_arguments_and_weights(tmp_path):
    first = Network(4, 3, 2, rate=0.25, extra=[1, {"a": None}])
    again = Network.from_checkpoint(saved(first, tmp_path))
    assert (again.units, again.sizes, again.rate) == (4, (3, 2), 0.25)
    assert again.others == {"extra": [1, {"a": None}]}
    assert again.hparams == first.hparams
    for mine, theirs in zip(again.model.weights, first.model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_arguments_that_are_given_replace_recorded_ones(tmp_path):
    path = saved(Network(4, rate=0.25), tmp_path)
    assert Network.from_checkpoint(path, rate=0.75).rate == 0.75
    with pytest.raises(CheckpointError, match="has shape"):
        Network.from_checkpoint(path, units=5)


def test_layers_that_a_first_batch_builds_get_their_weights_then(tmp_path):
    first = Network(4, lazy=True)
    path = saved(first, tmp_path)
    again = Network.from_checkpoint(path)
    assert not again.model.built
    expected = np.concatenate(Trainer(**quiet()).predict(first, collect=True))
    predicted = np.concatenate(Trainer(**quiet()).predict(again, collect=True))
    np.testing.assert_array_equal(predicted, expected)
    np.testing.assert_array_equal(again.model.weights[0], first.model.weights[0])


def test_an_argument_that_is_no_plain_data_is_asked_for_by_name(tmp_path):
    data = NumberData([1, 2])
    path = saved(NumberTask(data), tmp_path)
    with pytest.raises(CheckpointError, match=r"from_checkpoint\(path, data=NumberData\(...\)"):
        NumberTask.from_checkpoint(path)
    again = NumberTask.from_checkpoint(path, data=data)
    assert float(again.weight) == -1.0
    assert again.data is data


def test_another_class_is_refused_with_the_name_of_the_right_one(tmp_path):
    path = saved(Network(4), tmp_path)
    for wrong in (Task, NumberTask):
        with pytest.raises(CheckpointError, match=r"written by .*Network, not by"):
            wrong.from_checkpoint(path)


def test_the_precision_of_the_run_comes_back(tmp_path):
    path = saved(Network(4), tmp_path, precision="mixed_bfloat16")
    again = Network.from_checkpoint(path)
    assert again.model.layers[0].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_a_rebuilt_classifier_tests_and_goes_on(tmp_path):
    first = ImageClassification("digits", "linear")
    trainer = fitted(first, max_steps=20)
    trainer.save_checkpoint(tmp_path / "a", weights_only=True)
    measured = trainer.test(first)
    again = ImageClassification.from_checkpoint(tmp_path / "a")
    fresh = Trainer(**quiet(max_steps=1))
    assert fresh.test(again) == measured
    fresh.fit(again)


def test_what_cannot_be_told_apart_by_name_is_passed_by_position():
    class Takes:
        def __init__(self, a, b=2, *rest, c=3, **others):
            self.got = (a, b, rest, c, others)

    hparams = plain_arguments(Takes, (1, 5, 6, 7), {"d": 8})
    assert hparams == {"a": 1, "b": 5, "rest": [6, 7], "c": 3, "d": 8}
    positional, named = call_arguments(Takes, hparams, {"c": 9})
    assert Takes(*positional, **named).got == (1, 5, (6, 7), 9, {"d": 8})


def test_numpys_integers_are_plain_data_and_arrays_are_not():
    assert plain(np.int64(3)) == 3
    assert type(plain([np.int32(3)])[0]) is int
    assert plain(np.array([3]))["type"] == "numpy.ndarray"


@pytest.mark.parametrize(
    ("value", "plain_value"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(3), 3),
        (tf.constant(0.5), 0.5),
        (keras.Variable(2.0), 2.0),
        ("text", "text"),
        (None, None),
        (True, True),
        ((1, np.int8(2)), [1, 2]),
        ({"a": [np.float16(0.5)]}, {"a": [0.5]}),
    ],
)
def test_a_state_keeps_plain_data_and_takes_numbers_of_every_kind(value, plain_value):
    state = checked_state("Mine", {"key": value})
    assert state == {"key": plain_value}
    assert json.loads(json.dumps(state)) == state
    assert type(state["key"]) is type(plain_value)


@pytest.mark.parametrize(
    "value", [np.zeros(2), tf.zeros([2]), object(), {1: 2}, {1.0}, b"text", tf.constant("text"), 1j]
)
def test_a_state_that_is_no_plain_data_is_refused_with_its_place(value):
    with pytest.raises(ConfigurationError, match=r"^Mine.state_dict\(\)\['key'\]\[1\] is a "):
        checked_state("Mine", {"key": [0, value]})


def test_a_number_of_numpy_is_recorded_as_one():
    class Rate(NumberTask):
        def __init__(self, rate, flag):
            super().__init__(NumberData([1]))

    assert Rate(np.float32(0.5), np.bool_(True)).hparams == {"rate": 0.5, "flag": True}


class Color(enum.Enum):
    RED, BLUE = 1, 2


PAIRS = {
    "members": (Color.RED, Color.BLUE),
    "paths": (Path("a"), Path("b")),
    "sets": ({1, 2}, {1, 3}),
    "bytes": (b"a", b"b"),
    "ranges": (range(3), range(4)),
    "dicts": ({0: 1.0}, {0: 9.0}),
    "functions": (min, max),
    "classes": (keras.layers.Dense, keras.layers.LSTM),
    "partials": (partial(min, 1), partial(min, 2)),
    "dtypes": (tf.float32, tf.float16),
    "arrays": (np.arange(9000), np.arange(9000) + 1),
    "tensors": (tf.constant([1.0]), tf.constant([2.0])),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_values_that_are_no_plain_data_are_told_apart(one, other):
    recorded = json.loads(json.dumps({"value": plain(one)}))
    assert hparams_differences({"value": plain(one)}, recorded) == []
    (said,) = hparams_differences({"value": plain(other)}, recorded)
    assert said.startswith("value ")
    assert " -> " in said
