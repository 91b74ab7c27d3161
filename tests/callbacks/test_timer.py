import time
from datetime import timedelta

import pytest
from helpers.boring import BoringTask, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import Timer
from lightning_tf.exceptions import ConfigurationError


class Sleeps(Callback):
    """Takes a tenth of a second for each epoch."""

    logs_metrics = False

    def on_train_epoch_start(self, trainer, task):
        time.sleep(0.1)


def test_it_stops_when_the_time_is_over_and_says_so():
    timer = Timer(timedelta(seconds=0.25))
    trainer = fitted(BoringTask(), max_epochs=50, callbacks=[timer, Sleeps()])
    assert trainer.current_epoch < 10  # none, where tracing alone takes that long
    assert trainer.stop_reason == "the time of 0:00:00.250000 is over"
    assert timer.time_remaining() == 0.0
    assert timer.time_elapsed("train") >= 0.25


def test_the_interval_epoch_lets_an_epoch_end():
    timer = Timer({"seconds": 0}, interval="epoch")
    trainer = Trainer(**quiet(max_epochs=5, callbacks=[timer]))
    timer.on_train_start = lambda trainer, task: timer._start("train")
    trainer.fit(BoringTask())
    assert (trainer.current_epoch, trainer.batch_idx) == (1, 0)


def test_no_update_is_done_once_the_time_is_over():
    trainer = fitted(BoringTask(), max_epochs=5, callbacks=[Timer({"seconds": 0})])
    assert trainer.global_step == 0
    assert "is over" in trainer.stop_reason


def test_the_minimum_comes_first():
    arguments = {"max_epochs": 5, "min_epochs": 2}
    trainer = fitted(BoringTask(), callbacks=[Timer({"seconds": 0})], **arguments)
    assert trainer.current_epoch == 2


def test_a_resumed_run_goes_on_from_the_time_of_its_checkpoint(tmp_path):
    timer = Timer("00:01:00:00")
    trainer = fitted(BoringTask(), max_epochs=2, callbacks=[timer, Sleeps()])
    trainer.save_checkpoint(tmp_path / "part")
    spent = timer.time_elapsed("train")
    assert spent >= 0.2
    later = Timer("00:01:00:00")
    again = Trainer(**quiet(max_epochs=3, callbacks=[later, Sleeps()]))
    again.fit(BoringTask(), ckpt_path=tmp_path / "part")
    assert spent + 0.1 <= later.time_elapsed("train") < spent + 30.0
    over = Timer(timedelta(seconds=spent / 2))
    third = Trainer(**quiet(max_epochs=3, callbacks=[over]))
    third.fit(BoringTask(), ckpt_path=tmp_path / "part")
    assert third.global_step == 8


def test_stages_have_times_of_their_own_and_another_task_begins_anew():
    timer = Timer()
    trainer = fitted(BoringTask(), max_epochs=1, callbacks=[timer])
    task = trainer.task
    times = [timer.time_elapsed(stage) for stage in ("train", "validate", "test")]
    assert times[0] > times[1] > 0.0 == times[2]
    assert timer.time_remaining() is None
    trainer.test(task)
    assert timer.time_elapsed("test") > 0.0
    assert timer.time_elapsed("train") == times[0]
    trainer.test(BoringTask())
    assert timer.time_elapsed("train") == 0.0


def test_an_exception_stops_the_clock():
    class Fails(Callback):
        def on_train_epoch_end(self, trainer, task):
            raise RuntimeError("on purpose")

    timer = Timer()
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(BoringTask(), max_epochs=1, callbacks=[timer, Fails()])
    first = timer.time_elapsed("train")
    time.sleep(0.01)
    assert timer.time_elapsed("train") == first > 0.0


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigurationError, match=r"Timer\(duration='soon'\)"):
        Timer("soon")
    with pytest.raises(ConfigurationError, match="Did you mean 'step'"):
        Timer(interval="stp")
    with pytest.raises(ConfigurationError, match="Did you mean 'train'"):
        Timer().time_elapsed("trian")
