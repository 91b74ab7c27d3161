import os

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.resumable import TwoParts, everything

from lightning_tf import Trainer
from lightning_tf.callbacks import BatchSizeFinder
from lightning_tf.exceptions import ConfigurationError

EXAMPLES = 100
TOO_MUCH = 2**50  # bytes that no machine has


class Limited(NumberTask):
    """Runs out of memory with more than so many examples in a batch.

    TensorFlow makes of a MemoryError what it says itself when memory ends, without its 10 s of
    waiting for some.
    """

    def __init__(self, limit, data=None):
        super().__init__(data or NumberData([1.0] * EXAMPLES))
        self.limit, self.seen = limit, []

    def configure_optimizers(self):
        self.seen.append((self.data.batch_size, self.trainer.estimated_stepping_batches))
        return super().configure_optimizers()

    def training_step(self, batch):
        checked = tf.numpy_function(self._allocate, [tf.shape(batch)[0]], tf.float32)
        return tf.reduce_mean(batch) * (1.0 + self.weight) + tf.ensure_shape(checked, [])

    def _allocate(self, examples):
        if examples > self.limit:
            raise MemoryError("on purpose")
        return np.float32(0.0)


def search(limit, data=None, **arguments):
    finder = BatchSizeFinder(**arguments)
    task = Limited(limit, data)
    trainer = fitted(task, max_epochs=1, callbacks=[finder])
    return finder, task, trainer


def test_it_takes_the_last_power_that_fits():
    finder, task, trainer = search(20)
    assert (finder.suggestion, finder.sizes) == (16, [2, 4, 8, 16])
    assert task.data.batch_size == 16
    assert trainer.global_step == trainer.num_training_batches == 7
    assert float(task.weight) == -7.0  # the search has left the weight alone
    # Of every trial, the last one included, and of fit.
    assert task.seen == [(2, 50), (4, 25), (8, 13), (16, 7), (32, 4), (16, 7)]
    assert all(speed > 0.0 for speed in finder.examples_per_second)


@pytest.mark.slow
def test_it_goes_on_after_memory_has_ended_in_earnest():
    class Large(Limited):
        def training_step(self, batch):
            wanted = tf.where(tf.shape(batch, tf.int64)[0] > self.limit, TOO_MUCH // 4, 1)
            memory = tf.random.stateless_uniform([wanted], [1, 2])
            return tf.reduce_mean(batch) * (1.0 + self.weight) + 0.0 * tf.reduce_sum(memory)

    finder, task = BatchSizeFinder(), Large(4)
    fitted(task, max_epochs=1, callbacks=[finder])
    assert finder.suggestion == 4
    assert float(task.weight) == -25.0


@pytest.mark.slow
def test_a_binary_search_goes_on_between_and_leaves_a_margin():
    finder, _, _ = search(20, mode="binsearch", margin=0.0)
    assert (finder.suggestion, max(finder.sizes)) == (20, 20)
    assert search(20, mode="binsearch", margin=0.25)[0].suggestion == 15


def test_a_first_size_that_is_too_large_is_halved():
    assert search(5, init_val=32)[0].suggestion == 4
    with pytest.raises(ConfigurationError, match="memory ends with a batch of 1"):
        search(0, init_val=4)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"max_val": 10}, 8),
        ({"max_trials": 2}, 4),
        pytest.param({}, 64, marks=pytest.mark.slow),
        ({"mode": "binsearch"}, 95),
    ],
)
def test_limits_and_the_data_end_the_search(arguments, size):
    assert search(1000, **arguments)[0].suggestion == size


@pytest.mark.slow
def test_without_update_the_run_is_as_without_it():
    plain = fitted(TwoParts(), max_epochs=2, seed=3, log_every_n_steps=2)
    finder = BatchSizeFinder(update=False)
    task = TwoParts()
    trainer = fitted(task, max_epochs=2, seed=3, log_every_n_steps=2, callbacks=[finder])
    assert (finder.suggestion, task.data.batch_size) == (16, 4)
    after = everything(trainer)
    del after["callbacks"]["BatchSizeFinder"]
    assert after == everything(plain)


@pytest.mark.slow
def test_with_update_the_run_is_as_with_that_size_from_the_start():
    plain = TwoParts()
    plain.data.batch_size = 8
    plain = fitted(plain, max_epochs=2, seed=3)
    finder = BatchSizeFinder(max_val=8)
    trainer = fitted(TwoParts(), max_epochs=2, seed=3, callbacks=[finder])
    after = everything(trainer)
    del after["callbacks"]["BatchSizeFinder"]
    assert after == everything(plain)


@pytest.mark.slow
def test_a_resumed_run_takes_the_size_of_its_checkpoint(tmp_path):
    arguments = {"max_epochs": 3, "seed": 3}
    whole = fitted(TwoParts(), callbacks=[BatchSizeFinder(max_val=8)], **arguments)
    first = fitted(
        TwoParts(), callbacks=[BatchSizeFinder(max_val=8)], **{**arguments, "max_steps": 6}
    )
    first.save_checkpoint(tmp_path / "half")
    later = BatchSizeFinder(max_val=16)
    again = Trainer(**quiet(callbacks=[later], **arguments))
    task = TwoParts()
    again.fit(task, ckpt_path=tmp_path / "half")
    assert (later.suggestion, task.data.batch_size) == (8, 8)
    assert everything(again) == everything(whole)


def test_it_searches_once_for_a_task_and_not_in_a_fast_dev_run():
    finder, task, trainer = search(20)
    before = list(finder.examples_per_second)
    trainer.max_epochs = 2
    trainer.fit(task)
    assert finder.examples_per_second == before
    trainer.fit(Limited(5))
    assert finder.suggestion == 4
    quick = BatchSizeFinder()
    fitted(BoringTask(), fast_dev_run=1, callbacks=[quick])
    assert quick.suggestion is None


class Deaf(BoringData):
    """Batches of 16, whatever is asked for."""

    def _batches(self):
        self.x = self.x[:64]
        return tf.data.Dataset.from_tensor_slices((self.x, self.y)).batch(16)


@pytest.mark.parametrize("size", [2, 32])
def test_data_that_do_not_follow_are_refused(size):
    data = Deaf()
    with pytest.raises(ConfigurationError, match=r"Deaf gave 16 .*self\.batch_size"):
        fitted(BoringTask(data), max_epochs=1, callbacks=[BatchSizeFinder(init_val=size)])
    assert data.batch_size == 16


def test_another_error_is_raised_as_it_is():
    task = NumberTask(NumberData([1.0] * 8))
    task.training_step = lambda batch: tf.debugging.check_numerics(
        tf.math.log(-1.0 - task.weight), "on purpose"
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="on purpose"):
        fitted(task, max_epochs=1, callbacks=[BatchSizeFinder()])
    assert task.data.batch_size == 1


def test_loggers_get_the_image(tmp_path):
    rows, finder = Rows(), BatchSizeFinder(max_val=8)
    Trainer(**quiet(max_epochs=1, logger=rows, callbacks=[finder])).fit(BoringTask())
    assert [sent[:3] for sent in rows.sent] == [("figure", "batch_size_finder", 0)]
    line = rows.sent[0][3].axes[0].lines[0]
    assert line.get_xdata().tolist() == [2, 4, 8]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "powre"}, "Did you mean 'power'"),
        ({"steps_per_trial": 1}, "steps_per_trial is 1"),
        ({"init_val": 0}, "init_val is 0"),
        ({"max_trials": 0}, "max_trials is 0"),
        ({"max_val": 1}, "max_val is 1"),
        ({"margin": 1.0}, r"margin is 1\.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        BatchSizeFinder(**arguments)
