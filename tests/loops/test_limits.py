from datetime import timedelta

import keras
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Rows, fitted

from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.loops.limits import (
    check_limit,
    is_endless,
    length_of,
    limit_batches,
    seconds,
)


def numbers(count):
    return tf.data.Dataset.range(count)


def unknown(count):
    return numbers(count).filter(lambda x: True)


@pytest.mark.parametrize("limit", [0, 3, 0.0, 0.5, 1.0, 10**9])
def test_counts_and_fractions_are_limits(limit):
    check_limit("limit_val_batches", limit)


@pytest.mark.parametrize("limit", [-1, -0.1, 1.5, True, "3", None, float("nan"), float("inf")])
def test_other_limits_are_refused_by_name_and_value(limit):
    with pytest.raises(ConfigurationError, match="limit_val_batches=") as caught:
        check_limit("limit_val_batches", limit)
    assert repr(limit) in str(caught.value)


def test_lengths_are_known_unknown_or_endless():
    assert length_of(numbers(3)) == 3
    assert length_of(unknown(3)) is None
    assert length_of(numbers(3).repeat()) is None
    assert is_endless(numbers(3).repeat())
    assert not is_endless(unknown(3))


@pytest.mark.parametrize(
    ("limit", "expected"), [(1.0, 10), (0.5, 5), (0.39, 3), (4, 4), (10, 10), (25, 10)]
)
def test_a_limit_takes_the_first_batches(limit, expected):
    dataset, length = limit_batches(numbers(10), limit, "limit_train_batches", "train_dataset")
    assert length == expected
    assert [int(x) for x in dataset] == list(range(expected))


def test_a_count_makes_an_endless_dataset_finite():
    dataset, length = limit_batches(numbers(3).repeat(), 7, "limit_train_batches", "train_dataset")
    assert length == 7
    assert len(list(dataset)) == 7


def test_a_count_leaves_an_unknown_length_unknown():
    dataset, length = limit_batches(unknown(3), 7, "limit_train_batches", "train_dataset")
    assert length is None
    assert len(list(dataset)) == 3


def test_a_fraction_of_an_unknown_length_is_refused():
    with pytest.raises(ConfigurationError, match=r"limit_train_batches=0\.5: train_dataset"):
        limit_batches(unknown(3), 0.5, "limit_train_batches", "train_dataset")


def test_a_fraction_that_comes_to_no_batch_is_refused():
    with pytest.raises(ConfigurationError, match="of 3 batches is none"):
        limit_batches(numbers(3), 0.1, "limit_val_batches", "val_dataset")


def test_the_fraction_that_the_message_recommends_works():
    for length in (*range(2, 60), 1000, 5000):
        with pytest.raises(ConfigurationError) as caught:
            limit_batches(numbers(length), 0.5 / length, "limit_val_batches", "val_dataset")
        advice = float(str(caught.value).split("give ")[1].split(" ")[0])
        _, count = limit_batches(numbers(length), advice, "limit_val_batches", "val_dataset")
        assert count >= 1


def test_an_empty_dataset_is_refused():
    with pytest.raises(DataError, match="train_dataset is empty"):
        limit_batches(numbers(0), 1.0, "limit_train_batches", "train_dataset")


def test_what_is_no_dataset_is_refused():
    with pytest.raises(DataError, match="list"):
        limit_batches([1, 2], 1.0, "limit_train_batches", "train_dataset")


@pytest.mark.parametrize(
    ("max_time", "expected"),
    [
        (None, None),
        ("00:00:00:05", 5.0),
        ("01:02:03:04", 93784.0),
        (timedelta(minutes=2), 120.0),
        ({"hours": 1, "seconds": 1}, 3601.0),
        ("00:00:00:00", 0.0),
    ],
)
def test_durations_in_seconds(max_time, expected):
    assert seconds(max_time) == expected


@pytest.mark.parametrize("max_time", [60, "60", "1:2:3", "a:b:c:d", {"moons": 1}, [1], object()])
def test_what_is_no_duration_is_refused(max_time):
    with pytest.raises(ConfigurationError, match="max_time="):
        seconds(max_time)


@pytest.mark.parametrize("max_time", [timedelta(seconds=-1), "00:00:00:-5", {"seconds": -2}])
def test_a_negative_duration_is_refused(max_time):
    with pytest.raises(ConfigurationError, match="max_time="):
        seconds(max_time)


NUMBERS = tf.data.Dataset.range(8)
ENDLESS = {
    "filter": lambda: NUMBERS.repeat().filter(lambda x: x < 6),
    "interleave": lambda: NUMBERS.repeat().interleave(tf.data.Dataset.from_tensors),
    "flat_map": lambda: NUMBERS.repeat().flat_map(tf.data.Dataset.from_tensors).batch(2),
    "zip": lambda: tf.data.Dataset.zip(
        (NUMBERS.repeat().filter(lambda x: x < 6), NUMBERS.repeat())
    ),
}
ENDING = {
    "filter": lambda: NUMBERS.filter(lambda x: x < 6),
    "take": lambda: NUMBERS.repeat().filter(lambda x: x < 6).take(4),
    "take_while": lambda: NUMBERS.repeat().take_while(lambda x: x < 6),
    "zip": lambda: tf.data.Dataset.zip((NUMBERS.repeat().filter(lambda x: x < 6), NUMBERS)),
    "repeated twice": lambda: NUMBERS.repeat(2).filter(lambda x: x < 6),
}


@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS)
def test_data_that_repeat_for_ever_are_known_behind_other_steps(make):
    assert is_endless(make())


@pytest.mark.parametrize("make", ENDING.values(), ids=ENDING)
def test_data_that_may_end_are_no_stream(make):
    assert not is_endless(make())


def test_a_filtered_stream_goes_on_in_the_next_epoch():
    class Streams(NumberData):
        def train_dataset(self, epoch=0):
            numbers = tf.data.Dataset.range(8).repeat().filter(lambda x: x != 3)
            return numbers.map(lambda x: tf.reshape(tf.cast(x, tf.float32), (1, 1)))

    rows, task = Rows(), NumberTask(Streams([1.0]), keras.optimizers.SGD(0.0))
    fitted(task, max_epochs=3, limit_train_batches=3, log_every_n_steps=1, logger=rows)
    seen = [row["train/loss"] for _, row in rows.rows if "train/loss" in row]
    assert seen == [0, 1, 2, 4, 5, 6, 7, 0, 1]
