"""The state of tf.data's iterator in a checkpoint."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from helpers.streams import (
    Streams,
    fitted,
    saved_and_resumed,
    shuffled_files,
    stopped_and_resumed,
)

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.loops.iterator_state import iterator_state, restore_iterator


def by_state():
    return Streams(shuffled_files, resume_by="iterator")


@pytest.mark.parametrize(
    "limits",
    [{}, pytest.param({"limit_train_batches": 7, "max_epochs": 4}, marks=pytest.mark.slow)],
)
def test_a_resumed_run_gets_the_bits_of_the_undisturbed_one(tmp_path, limits, caplog):
    whole, resumed = stopped_and_resumed(by_state, tmp_path, **limits)
    np.testing.assert_array_equal(resumed, whole)
    assert not caplog.text


@pytest.mark.slow
def test_a_stream_without_an_end_goes_on_where_it_stood(tmp_path):
    def data():
        return Streams(lambda epoch, seed: shuffled_files(0).repeat(), resume_by="iterator")

    limits = {"limit_train_batches": 7, "max_epochs": 4}
    whole, resumed = stopped_and_resumed(data, tmp_path, **limits)
    np.testing.assert_array_equal(resumed, whole)


def test_a_checkpoint_in_the_midst_of_a_fit_knows_the_next_batch(tmp_path):
    whole, resumed = saved_and_resumed(by_state, tmp_path, step=4, max_epochs=2)
    np.testing.assert_array_equal(resumed, whole)


def test_a_state_of_another_pipeline_is_refused():
    state = iterator_state(iter(shuffled_files(0)))
    with pytest.raises(ValueError, match="of another pipeline"):
        restore_iterator(iter(tf.data.Dataset.range(3)), state)


def test_a_pipeline_that_calls_python_is_skipped_and_says_so(tmp_path, caplog):
    def made_by_python(epoch, seed):
        def records():
            for place in range(96):
                yield {"x": np.float32([place, 1.0]), "y": np.float32(place % 7)}

        spec = {"x": tf.TensorSpec([2]), "y": tf.TensorSpec([])}
        return tf.data.Dataset.from_generator(records, output_signature=spec).batch(8)

    make_data = lambda: Streams(made_by_python, "iterator")  # noqa: E731
    whole, resumed = saved_and_resumed(make_data, tmp_path, step=5, max_epochs=1)
    np.testing.assert_array_equal(resumed, whole)
    assert "TensorFlow cannot keep the state of this pipeline" in caplog.text


def test_another_way_to_resume_is_refused():
    with pytest.raises(ConfigurationError, match=r"Streams\.resume_by is 'seek'"):
        fitted(Streams(shuffled_files, "seek"))


def test_the_state_of_an_iterator_holds_what_waits_in_its_shuffle_buffer():
    numbers = tf.data.Dataset.range(50).shuffle(20, seed=3).batch(3).prefetch(2)
    first, second = iter(numbers), iter(numbers)
    for _ in range(4):
        next(first)
    restore_iterator(second, iterator_state(first))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_to_keep_a_state_adds_no_handler_to_the_root_logger(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    numbers = tf.data.Dataset.range(9).shuffle(4, seed=1)
    restore_iterator(iter(numbers), iterator_state(iter(numbers)))
    assert not logging.getLogger().handlers
