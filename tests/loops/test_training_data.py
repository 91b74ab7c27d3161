"""A way back into an epoch that reads data for nothing, and what is said of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Trainer
from lightning_tf.data import ArrayData
from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.loops import training_data
from lightning_tf.loops.training_data import training_from

NUMBERS = np.arange(240.0, dtype="float32")
AT = training_data.LONG_WAY


def said(data, caplog, batch=AT):
    """Return what is said where a run goes on at a batch of an epoch."""
    caplog.set_level("INFO", "lightning_tf")
    trainer, task = Trainer(**quiet(max_epochs=1)), NumberTask(data)
    data.dataset_for("train")  # as at the beginning of a fit
    caplog.clear()
    rest = training_from(trainer, task, 0, batch)
    assert len(list(rest)) == len(NUMBERS) - batch
    return caplog.text


def by_grain(is_stream):
    grain = pytest.importorskip("grain")
    numbers = grain.MapDataset.source(NUMBERS).batch(1)
    data = NumberData(NUMBERS)
    data.train_dataset = lambda epoch: numbers.to_iter_dataset() if is_stream else numbers
    return data


def test_a_long_way_is_said_with_the_remedy(caplog):
    text = said(NumberData(NUMBERS), caplog)
    assert "to come to batch 100, the training data before it are read again" in text
    assert "NumberData.resume_by = 'iterator' keeps the place" in text
    assert caplog.records[0].levelname == "INFO"


def test_a_short_way_is_not_worth_a_word(caplog):
    assert not said(NumberData(NUMBERS), caplog, batch=AT - 1)


def test_a_stream_without_a_position_names_an_index_as_the_remedy(caplog):
    text = said(by_grain(is_stream=True), caplog)
    assert "a grain.MapDataset begins at any batch" in text
    assert "resume_by" not in text


def test_batches_that_python_makes_are_read_again(caplog):
    batches = lambda: iter(NUMBERS[:, None])  # noqa: E731
    assert "are read again" in said(DatasetPair(batches), caplog)
    assert "are read again" in said(DatasetPair(tf.data.Dataset.range(240).batch(1)), caplog)


def test_what_is_read_by_index_drops_no_more_than_numbers(caplog):
    assert not said(ArrayData(NUMBERS, batch_size=1, val_fraction=0.0), caplog)
    assert not said(by_grain(is_stream=False), caplog)
    batches = list(NUMBERS[:, None, None])
    assert not said(DatasetPair(batches, shuffle=False), caplog)


def test_a_resumed_fit_says_it_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(training_data, "LONG_WAY", 3)
    caplog.set_level("INFO", "lightning_tf")

    def fitted(ckpt_path=None, **limits):
        task = NumberTask(NumberData(NUMBERS[:8], shuffled=True), keras.optimizers.SGD(0.1))
        trainer = Trainer(**quiet(seed=0, limit_val_batches=0, **limits))
        trainer.fit(task, ckpt_path=ckpt_path)
        return trainer

    fitted(max_steps=4).save_checkpoint(tmp_path / "checkpoint")
    assert "are read again" not in caplog.text
    fitted(tmp_path / "checkpoint", max_epochs=3)
    assert caplog.text.count("to come to batch 4") == 1
