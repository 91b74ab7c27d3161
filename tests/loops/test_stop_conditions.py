"""A request to stop waits for the minimums, and whoever made it can take it back."""

import logging

import pytest
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EarlyStopping
from lightning_tf.exceptions import ConfigurationError


class Asks(Callback):
    """Asks once, at an update, and takes it back at another."""

    every_n_steps = 1

    def __init__(self, at, until=None):
        self.at, self.until = at, until

    def on_train_window_end(self, trainer, task):
        if trainer.global_step == self.at:
            trainer.request_stop("enough")
        if trainer.global_step == self.until:
            trainer.withdraw_stop("enough")


def task(batches=3, held_out=None):
    return NumberTask(NumberData(range(batches), held_out=held_out))


def fitted(task, ckpt_path=None, **arguments):
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(task, ckpt_path=ckpt_path)
    return trainer


@pytest.mark.parametrize(
    ("minimum", "steps"),
    [
        ({"min_epochs": 3}, 9),
        ({"min_steps": 10}, 10),
        ({"min_epochs": 2, "min_steps": 4}, 6),
        ({"min_epochs": 0, "min_steps": 0}, 1),
        ({}, 1),
    ],
)
@pytest.mark.parametrize("batch_by_batch", [False, True])
def test_one_request_is_enough(minimum, steps, batch_by_batch):
    callbacks = [Asks(1)]
    if batch_by_batch:

        class Watches(Callback):
            def on_train_batch_end(self, trainer, task, outputs, batch_idx):
                pass

        callbacks.append(Watches())
    assert fitted(task(), max_epochs=50, callbacks=callbacks, **minimum).global_step == steps


def test_a_request_that_is_taken_back_stops_nothing():
    trainer = fitted(task(), max_epochs=5, min_epochs=4, callbacks=Asks(1, until=4))
    assert trainer.current_epoch == 5
    assert not trainer.should_stop


def test_the_name_of_lightning_works():
    class Stops(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            trainer.should_stop = trainer.global_step != 2  # asked for, taken back, asked for

    trainer = fitted(task(), max_epochs=9, min_steps=2, callbacks=Stops())
    assert trainer.global_step == 3
    assert trainer.should_stop


def test_that_a_request_waits_is_told_once(caplog):
    class Always(Callback):
        every_n_steps = 1

        def on_train_window_end(self, trainer, task):
            trainer.request_stop(f"again at {trainer.global_step}")

    with caplog.at_level(logging.INFO, logger="lightning_tf"):
        fitted(task(), max_epochs=9, min_epochs=3, callbacks=Always())
    told = [record.getMessage() for record in caplog.records if "waits" in record.getMessage()]
    assert told == ["a stop waits for min_epochs=3 and min_steps=None: again at 1"]


def test_early_stopping_takes_its_request_back_where_the_metric_recovers():
    class Series(NumberTask):
        values = iter([1.0, 2.0, 3.0, 0.5, 0.4, 0.3, 9.0, 9.0])

        def on_validation_epoch_end(self):
            self.log("val_series", next(self.values))

    series = Series(NumberData(range(2), held_out=[1]))
    stops = EarlyStopping("val_series", patience=1)
    arguments = {"max_epochs": 20, "min_epochs": 5, "num_sanity_val_steps": 0}
    # Bad at epochs 1 and 2, good again from 3 to 5: the next bad one, epoch 6, ends it.
    assert fitted(series, callbacks=stops, **arguments).current_epoch == 7


def test_a_request_that_waits_is_known_to_a_resumed_run(tmp_path):
    arguments = {"max_epochs": 20, "min_steps": 8}

    class Saves(Callback):
        def on_train_epoch_end(self, trainer, task):
            if trainer.current_epoch == 0:
                trainer.save_checkpoint(tmp_path / "c")

    whole = fitted(task(), callbacks=[Asks(1), Saves()], **arguments)
    assert whole.global_step == 8
    again = fitted(task(), tmp_path / "c", callbacks=Asks(1), **arguments)
    assert (again.global_step, again.stop_reason) == (8, "enough")
    assert float(again.task.weight) == float(whole.task.weight)


def test_a_run_that_was_stopped_goes_on_where_its_user_resumes_it(tmp_path):
    trainer = fitted(task(), max_epochs=9, callbacks=Asks(3))
    assert trainer.global_step == 3
    trainer.save_checkpoint(tmp_path / "c")
    assert fitted(task(), tmp_path / "c", max_epochs=4).current_epoch == 4


def test_another_fit_begins_without_requests():
    trainer = Trainer(**quiet(max_epochs=2, min_epochs=5, callbacks=Asks(1)))
    number = task()
    trainer.fit(number)
    trainer.max_epochs = 9
    trainer.fit(number)
    assert trainer.current_epoch == 9


def test_limits_hold_while_a_request_waits():
    trainer = fitted(task(), max_steps=4, min_epochs=9, callbacks=Asks(1))
    assert trainer.global_step == 4


@pytest.mark.parametrize("reason", ["", None, True])
def test_a_request_has_a_reason(reason):
    with pytest.raises(ConfigurationError, match="reason as a string"):
        Trainer(**quiet()).request_stop(reason)
