import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.loops.validation_schedule import ValidationSchedule
from lightning_tf.run.progress import Progress


def due_batches(interval, every_n_epoch, length, epochs):
    """The batches, counted over all epochs, after which validation runs."""
    schedule, progress, due = ValidationSchedule(interval, every_n_epoch), Progress(), []
    schedule.check(length, has_validation=True)
    for _ in range(epochs):
        for _ in range(length):
            # The window must never run over a point where validation is due.
            until = schedule.batches_until_due(progress, length)
            progress.advance(1, 1)
            is_due = schedule.is_due(progress, length, progress.batch == length)
            if is_due and progress.batch < length:
                assert until == 1
            if is_due:
                due.append(progress.total_batches)
        progress.next_epoch()
    return due


@pytest.mark.parametrize(
    ("interval", "every_n_epoch", "expected"),
    [
        (1.0, 1, [10, 20, 30, 40]),
        (1.0, 2, [20, 40]),
        (0.5, 1, [5, 10, 15, 20, 25, 30, 35, 40]),
        (0.4, 1, [4, 8, 14, 18, 24, 28, 34, 38]),
        (0.01, 2, [*range(11, 21), *range(31, 41)]),
        (10, 1, [10, 20, 30, 40]),
        (4, 1, [4, 8, 14, 18, 24, 28, 34, 38]),
        (3, 2, [13, 16, 19, 33, 36, 39]),
        (1, 4, list(range(31, 41))),
        (7, None, [7, 14, 21, 28, 35]),
        (15, None, [15, 30]),
        (1.0, [1, 3], [10, 30]),
        (0.5, [4], [35, 40]),
    ],
)
def test_validation_runs_after_these_batches(interval, every_n_epoch, expected):
    assert due_batches(interval, every_n_epoch, length=10, epochs=4) == expected


@pytest.mark.parametrize("interval", [0, -1, 0.0, 1.5, -0.5, True, None, "0.5x", float("nan")])
def test_other_intervals_are_refused(interval):
    with pytest.raises(ConfigurationError, match="val_check_interval="):
        ValidationSchedule(interval, 1)


@pytest.mark.parametrize("epochs", [[], [0], [1.5], ["2"], [True]])
def test_a_list_is_of_epochs(epochs):
    with pytest.raises(ConfigurationError, match="counted from 1"):
        ValidationSchedule(1.0, epochs)


def test_a_fraction_across_epochs_is_refused():
    with pytest.raises(ConfigurationError, match="check_val_every_n_epoch=None"):
        ValidationSchedule(0.5, None)


def test_more_batches_than_an_epoch_has_need_none():
    with pytest.raises(ConfigurationError, match="check_val_every_n_epoch=None"):
        ValidationSchedule(11, 1).check(10, has_validation=True)
    ValidationSchedule(11, None).check(10, has_validation=True)


def test_without_validation_no_interval_is_wrong():
    ValidationSchedule(11, 1).check(10, has_validation=False)


def test_a_fraction_of_an_unknown_length_is_refused():
    with pytest.raises(ConfigurationError, match="no known length"):
        ValidationSchedule(0.5, 1).check(None, has_validation=True)
    ValidationSchedule(1.0, 1).check(None, has_validation=True)
    ValidationSchedule(5, 1).check(None, has_validation=True)
