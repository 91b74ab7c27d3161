"""Keys of states: no two callbacks of a Trainer have one, or they are refused."""

import itertools
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.scripted import Scripted

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import (
    CSVLogger,
    EarlyStopping,
    JSONLinesLogger,
    LambdaCallback,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    Timer,
)
from lightning_tf.checkpoint.io import read_checkpoint
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.state_keys import keyed


class Counts(Callback):
    """Counts updates in a variable and in its state, by its own amount."""

    logs_metrics = False

    def __init__(self, by):
        self.by, self.count, self.total = by, tf.Variable(0), 0

    def variables(self):
        return {"count": self.count}

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]

    def on_train_window_end(self, trainer, task):
        self.count.assign_add(self.by)
        self.total += self.by


STOPPING = [
    {},
    {"patience": 50},
    {"min_delta": 5.0},
    {"patience": 50, "min_delta": 5.0},
    {"stopping_threshold": 0.5},
    {"divergence_threshold": 9.0},
    {"restore_best_weights": True},
    {"start_from_epoch": 2},
    {"check_on_train_epoch_end": True},
    {"mode": "max"},
]
SAVING = [
    {"dirpath": "a"},
    {"dirpath": Path("b")},
    {"save_top_k": 3},
    {"filename": "{epoch}"},
    {"save_last": True},
    {"every_n_epochs": 2},
    {"every_n_train_steps": 5},
    {"train_time_interval": timedelta(minutes=1)},
    {"train_time_interval": timedelta(minutes=2)},
    {"save_weights_only": True},
    {"save_on_train_epoch_end": True},
]


@pytest.mark.parametrize(
    "callbacks",
    [
        *itertools.combinations([partial(EarlyStopping, "val_loss", **a) for a in STOPPING], 2),
        *itertools.combinations([partial(ModelCheckpoint, monitor="loss", **a) for a in SAVING], 2),
        [partial(EarlyStopping, "val_loss", **a) for a in STOPPING],
        [partial(ModelCheckpoint, monitor="loss", **a) for a in SAVING],
        [lambda: Counts(1), lambda: Counts(by=2), lambda: Counts(by=3)],
        [lambda: ReduceLROnPlateau(factor=0.1), lambda: ReduceLROnPlateau(factor=0.2)],
        [lambda: Timer("01:00:00:00"), lambda: Timer("02:00:00:00")],
        [lambda: CSVLogger("a"), lambda: CSVLogger(Path("b")), JSONLinesLogger],
        [CSVLogger, CSVLogger],
    ],
)
def test_callbacks_that_differ_have_keys_that_differ_and_stay(callbacks):
    keys, again = ([key for key, _ in keyed(make() for make in callbacks)] for _ in range(2))
    assert len(set(keys)) == len(keys)
    assert keys == again


def test_one_callback_alone_has_its_state_key_whatever_its_arguments():
    stopping = EarlyStopping("val_loss", patience=7)
    assert keyed([stopping, Rows(), Timer("01:00:00:00")])[0] == (stopping.state_key, stopping)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping("val_loss"),
        lambda: EarlyStopping("val_loss", patience=5),
        ModelCheckpoint,
        lambda: ModelCheckpoint(dirpath="a"),
        lambda: Counts(1),
        lambda: Timer("01:00:00:00"),
    ],
)
def test_equal_callbacks_with_state_are_refused_wherever_they_come_from(make):
    message = "of which two have equal arguments.*override state_key"
    with pytest.raises(ConfigurationError, match=message):
        Trainer(**quiet(max_epochs=1, enable_checkpointing=True, callbacks=[make(), make()]))

    trainer = Trainer(**quiet(max_epochs=1, enable_checkpointing=True, callbacks=make()))
    with pytest.raises(ConfigurationError, match=message):
        trainer.add_callback(make())

    class Brings(BoringTask):
        def callbacks(self):
            return [make()]

    with pytest.raises(ConfigurationError, match=message):
        trainer.fit(Brings())


def test_callbacks_without_state_may_be_equal():
    both = [*(LambdaCallback() for _ in range(2)), *(ProgressBar() for _ in range(2))]
    Trainer(**quiet(max_epochs=1, callbacks=both, logger=[Rows(), Rows()]))


def test_each_of_two_early_stoppings_gets_its_own_state_back(tmp_path):
    def both():
        return [
            EarlyStopping("val_score", patience=3),
            EarlyStopping("val_score", patience=50, min_delta=5.0),
        ]

    scores = [10.0, 9.0, 8.0, *[7.0] * 7]
    whole = fitted(Scripted(scores), max_epochs=10, callbacks=both())
    fitted(Scripted(scores), max_epochs=4, callbacks=both()).save_checkpoint(tmp_path / "x")
    resumed = Trainer(**quiet(max_epochs=10, callbacks=both()))
    resumed.fit(Scripted(scores), ckpt_path=tmp_path / "x")
    assert resumed.current_epoch == whole.current_epoch == 7
    for one, other in zip(resumed.callbacks, whole.callbacks, strict=True):
        assert one.state_dict() == other.state_dict()


def test_variables_and_state_of_two_callbacks_of_a_kind_are_resumed_apart(tmp_path):
    task = NumberTask(NumberData([1, 2, 3, 4]))
    callbacks = [Counts(1), Counts(100)]
    fitted(task, max_steps=2, callbacks=callbacks).save_checkpoint(tmp_path / "x")
    counts = [int(callback.count) for callback in callbacks]
    assert counts == [callbacks[0].total, 100 * callbacks[0].total]
    assert len([n for n in read_checkpoint(tmp_path / "x").tensors if "Counts" in n]) == 2

    # In another order too: the argument tells whose is whose.
    callbacks = [Counts(100), Counts(1)]
    trainer = Trainer(**quiet(max_steps=2, callbacks=callbacks))
    trainer.fit(NumberTask(NumberData([1, 2, 3, 4])), ckpt_path=tmp_path / "x")
    assert [int(callback.count) for callback in callbacks] == counts[::-1]
    assert [callback.total for callback in callbacks] == counts[::-1]


def test_each_of_two_loggers_goes_on_with_its_own_run(tmp_path):
    def loggers():
        return [CSVLogger(tmp_path / "a"), CSVLogger(tmp_path / "b", name="named")]

    first = fitted(BoringTask(), max_epochs=1, logger=loggers())
    first.save_checkpoint(tmp_path / "x")
    resumed = Trainer(**quiet(max_epochs=2, logger=loggers()[::-1]))
    resumed.fit(BoringTask(), ckpt_path=tmp_path / "x")
    assert [lo.log_dir for lo in resumed.loggers] == [lo.log_dir for lo in first.loggers][::-1]
