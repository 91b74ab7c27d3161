"""What is logged is a number: taken as one, or refused by its name."""

import fractions

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, Rows, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.exceptions import ConfigurationError

NUMBERS = [
    1,
    0.5,
    True,
    np.float32(0.5),
    np.float64(0.5),
    np.float16(0.5),
    np.int64(3),
    np.uint8(3),
    np.bool_(True),
    np.array(0.5),
    np.array(0.5, ml_dtypes.bfloat16),
    tf.constant(0.5),
    tf.constant(3),
    tf.constant(True),
    tf.constant(0.5, tf.bfloat16),
    tf.Variable(0.5),
    keras.Variable(0.5),
    fractions.Fraction(1, 2),
    float("nan"),
    float("inf"),
]
NO_NUMBERS = [
    "text",
    b"text",
    np.str_("text"),
    None,
    {"inner": 1.0},
    [1.0],
    (1.0, 2.0),
    [],
    np.array([1.0]),
    np.zeros((2, 3)),
    tf.constant([1.0, 2.0]),
    tf.constant("text"),
    tf.ragged.constant([[1.0], []]),
    1j,
    np.datetime64("2020-01-01"),
    object(),
    {1.0},
]


def is_same(number, value):
    expected = float(np.asarray(value, "float64"))
    return type(number) in (int, float) and (number == expected or number != number != expected)


class Reports(Callback):
    """Logs one value in a hook."""

    def __init__(self, value):
        self.value = value

    def on_train_epoch_end(self, trainer, task):
        trainer.log_metrics({"the_key": self.value})


class Hooked(BoringTask):
    """Logs one value in a hook."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def on_train_epoch_end(self):
        self.log("the_key", self.value)


class Steps(BoringTask):
    """Logs one value in a step."""

    def __init__(self, value, stage):
        super().__init__()
        self.value, self.stage = value, stage

    def training_step(self, batch):
        if self.stage == "train":
            self.log("the_key", self.value)
        return super().training_step(batch)

    def validation_step(self, batch):
        if self.stage == "val":
            self.log("the_key", self.value)
        return BoringTask.training_step(self, batch)


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
@pytest.mark.parametrize("by", ["task", "callback"])
def test_numbers_of_every_kind_reach_rows_and_checkpoints(value, by, tmp_path):
    rows = Rows()
    task, callbacks = (Hooked(value), []) if by == "task" else (BoringTask(), [Reports(value)])
    arguments = {"max_epochs": 1, "limit_train_batches": 1, "limit_val_batches": 0}
    trainer = fitted(task, callbacks=callbacks, logger=rows, **arguments)
    trainer.save_checkpoint(tmp_path / "x")
    assert is_same(trainer.callback_metrics["the_key"], value)
    assert is_same(rows.column("train/the_key")[0][1], value)

    resumed = Trainer(**quiet(max_epochs=1))
    resumed.fit(BoringTask(), ckpt_path=tmp_path / "x")
    assert is_same(resumed.callback_metrics["the_key"], value)


@pytest.mark.parametrize("value", NUMBERS[:-5], ids=repr)
@pytest.mark.parametrize("stage", ["train", "val"])
def test_numbers_of_every_kind_are_logged_in_a_step(value, stage):
    metrics = fitted(Steps(value, stage), max_epochs=1).callback_metrics
    assert metrics["the_key" if stage == "train" else "val_the_key"] == float(value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "make",
    [
        lambda value: (Hooked(value), []),
        lambda value: (BoringTask(), [Reports(value)]),
        lambda value: (Steps(value, "train"), []),
        lambda value: (Steps(value, "val"), []),
    ],
    ids=["hook", "callback", "training_step", "validation_step"],
)
def test_what_is_no_number_is_refused_with_its_name(value, make):
    task, callbacks = make(value)
    with pytest.raises(ConfigurationError, match=r"^log\('the_key'\) got .*; give "):
        fitted(task, max_epochs=1, callbacks=callbacks)


@pytest.mark.parametrize("loss", ["text", [1.0, 2.0], {"a": {"b": 1.0}}], ids=str)
def test_a_loss_that_is_no_scalar_is_refused(loss):
    class Odd(BoringTask):
        def validation_step(self, batch):
            return loss

    with pytest.raises(ConfigurationError, match=r"validation_step gave a loss that is .*; give"):
        fitted(Odd(), max_epochs=1)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.float32(0.25), marks=pytest.mark.slow),
        pytest.param(np.int64(3), marks=pytest.mark.slow),
        np.array(0.5),
        pytest.param(tf.constant(2), marks=pytest.mark.slow),
    ],
)
def test_the_state_of_a_callback_takes_numbers_and_names_what_is_none(value, tmp_path):
    class Remembers(Callback):
        def __init__(self, state):
            self.state = state

        def state_dict(self):
            return {"list": [self.state, 1], "plain": "text"}

        def load_state_dict(self, state):
            self.state = state["list"][0]

    arguments = {"max_steps": 1, "limit_val_batches": 0}
    trainer = fitted(BoringTask(), callbacks=Remembers(value), **arguments)
    trainer.save_checkpoint(tmp_path / "x")
    again = Remembers(None)
    Trainer(**quiet(callbacks=again, **arguments)).fit(BoringTask(), ckpt_path=tmp_path / "x")
    assert is_same(again.state, value)

    for refused in (np.array([None]), object(), tf.constant("text"), {1: 2}):
        trainer = fitted(BoringTask(), callbacks=Remembers(refused), **arguments)
        with pytest.raises(ConfigurationError, match=r"Remembers.state_dict\(\)\['list'\]\[0\]"):
            trainer.save_checkpoint(tmp_path / "y")


@pytest.mark.parametrize("hook", ["on_train_start", "on_train_epoch_start"])
def test_an_attribute_that_only_a_later_hook_sets_is_named_with_the_places_to_set_it(hook):
    class Late(BoringTask):
        def training_step(self, batch):
            return super().training_step(batch) * self.beta

    setattr(Late, hook, lambda self: setattr(self, "beta", 2.0))
    with pytest.raises(ConfigurationError, match=r"training_step reads self.beta, .*on_fit_start"):
        fitted(Late(), max_epochs=1)
    Late.on_fit_start = getattr(Late, hook)
    fitted(Late(), max_epochs=1)


def test_a_misspelt_attribute_is_named_with_the_nearest_and_other_objects_errors_stay():
    class Misspelt(BoringTask):
        def validation_step(self, batch):
            return self.modle(batch[0])

    with pytest.raises(ConfigurationError, match=r"validation_step .*self.modle.*'model'\?"):
        fitted(Misspelt(), max_epochs=1)

    class Other(BoringTask):
        def training_step(self, batch):
            return self.model.beta

    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'beta'"):
        fitted(Other(), max_epochs=1)
