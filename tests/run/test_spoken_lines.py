"""What a run says of itself: its beginning, its end, and weights that nobody has trained."""

import logging
import os
import signal

import keras
import numpy as np
import pytest
from helpers.boring import BoringData, BoringTask, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EMA, CSVLogger
from lightning_tf.callbacks.loggers.histogram_logger import HistogramLogger
from lightning_tf.callbacks.loggers.histograms import Histograms
from lightning_tf.exceptions import TerminationRequested
from lightning_tf.tasks import KerasTask


@pytest.fixture(autouse=True)
def told(caplog):
    caplog.set_level(logging.INFO, "lightning_tf")


def lines(caplog, start):
    return [text for r in caplog.records if (text := r.getMessage()).startswith(start)]


def test_a_fit_says_what_it_begins_with(caplog, tmp_path):
    trainer = Trainer(**{**quiet(max_epochs=1, seed=3), "logger": CSVLogger(tmp_path)})
    trainer.fit(BoringTask())
    (line,) = lines(caplog, "fit BoringTask")
    assert line == (
        "fit BoringTask; 66 weights; data BoringData, 4 batches an epoch; CPU:0; float32; seed 3; "
        f"files in {trainer.log_dir}"
    )


def test_frozen_weights_and_weights_of_a_checkpoint_are_told(caplog, tmp_path):
    class Half(BoringTask):
        def configure_model(self):
            super().configure_model()
            frozen = keras.layers.Dense(2, trainable=False)
            self.model = keras.Sequential([self.model, frozen])

    task = Half()
    fitted(task, max_epochs=1).save_checkpoint(tmp_path / "half.ckpt")
    Trainer(**quiet()).test(Half(), ckpt_path=tmp_path / "half.ckpt")
    assert "72 weights, 66 of them train" in lines(caplog, "fit Half")[0]
    assert f"72 weights from {tmp_path / 'half.ckpt'};" in lines(caplog, "test Half")[0]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_epochs": 2}, "max_epochs=2 is reached. 2 epochs and 8 updates are done, in"),
        ({"max_steps": 3}, "max_steps=3 is reached. 0 epochs and 3 updates are done, in"),
        ({"max_time": {"seconds": 0.001}}, "max_time=0:00:00.001000 is reached."),
    ],
    ids=str,
)
def test_a_fit_says_why_it_ended(caplog, limits, reason):
    fitted(BoringTask(), **limits)
    (line,) = lines(caplog, "fit ended")
    assert line.startswith(f"fit ended: {reason}")
    assert line.endswith("No checkpoint was written.")


def test_a_fit_that_had_nothing_left_to_do_says_so(caplog):
    task = BoringTask()
    fitted(task, max_epochs=1).fit(task)
    assert "1 epoch and 4 updates are done, none of them now" in lines(caplog, "fit ended")[1]


def test_checkpoints_are_named_and_so_is_how_to_go_on(caplog, tmp_path):
    options = {**quiet(), "enable_checkpointing": True, "default_root_dir": tmp_path}
    trainer = Trainer(**options, max_epochs=1)
    trainer.fit(BoringTask())
    (line,) = lines(caplog, "fit ended")
    assert f"Last checkpoint: {trainer.checkpoint_callback.best_model_path}." in line
    assert line.endswith("To go on: fit(task, ckpt_path='last') with a higher max_epochs.")

    Trainer(**options, max_epochs=2).fit(BoringTask(), ckpt_path="last")
    (line,) = lines(caplog, "fit goes on from")
    assert line.endswith("epoch=0-step=4.ckpt: epoch 1, update 4.")


@pytest.mark.parametrize("entry_point", ["validate", "test", "predict"])
def test_weights_that_nobody_trained_are_warned_of(caplog, entry_point):
    task, trainer = BoringTask(), Trainer(**quiet(max_epochs=1))
    list(getattr(trainer, entry_point)(task))
    (warning,) = lines(caplog, f"{entry_point} uses weights as they were made")
    assert "brings_weights = True" in warning


def test_weights_that_came_from_somewhere_are_not_warned_of(caplog, tmp_path):
    class Loads(BoringTask):
        brings_weights = True

    trained = BoringTask()
    trainer = fitted(trained, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    given = KerasTask(keras.Sequential([keras.Input((32,)), keras.layers.Dense(2)]), loss="mse")
    given.data = BoringData()

    Trainer(**quiet()).test(trained)
    Trainer(**quiet()).test(BoringTask(), ckpt_path=tmp_path / "x.ckpt")
    Trainer(**quiet()).test(BoringTask.from_checkpoint(tmp_path / "x.ckpt", data=BoringData()))
    Trainer(**quiet()).test(Loads())
    list(Trainer(**quiet()).predict(given))
    assert "as they were made" not in caplog.text


def test_averages_and_histograms_that_cannot_tell_much_yet_say_so(caplog):
    class Watches(HistogramLogger):
        histograms = Histograms("gradients", every_n_steps=100)

    Trainer(**{**quiet(max_epochs=1, callbacks=EMA(0.999)), "logger": Watches()}).fit(BoringTask())
    assert "after the 4 averagings of this fit 99.6 % of the average" in caplog.text
    assert "histograms every 100 updates, and this fit has 4: none is written" in caplog.text

    caplog.clear()
    fitted(BoringTask(), max_epochs=1, callbacks=EMA(0.999, warmup=True))
    assert "averagings" not in caplog.text


def test_how_to_go_on_depends_on_what_ended_the_fit(caplog, tmp_path):
    options = {**quiet(), "enable_checkpointing": True, "default_root_dir": tmp_path}

    def last(**limits):
        caplog.clear()
        Trainer(**options, **limits).fit(BoringTask())
        return lines(caplog, "fit ended")[0]

    assert last(max_steps=3, max_epochs=9).endswith("ckpt_path='last') with a higher max_steps.")
    short = last(max_time={"seconds": 0.001}, max_epochs=10**6)
    assert short.endswith("ckpt_path='last') with a higher max_time.")
    stopped = last(max_epochs=9, callbacks=Stops())
    assert stopped.endswith("ckpt_path='last'), without what stopped it.")


class Stops(Callback):
    def on_train_epoch_end(self, trainer, task):
        trainer.request_stop("enough")


def test_sigterm_before_there_is_anything_to_save_says_so(caplog, tmp_path):
    class Ends(Callback):
        def on_fit_start(self, trainer, task):
            os.kill(os.getpid(), signal.SIGTERM)

    options = {**quiet(max_epochs=3), "enable_checkpointing": True, "default_root_dir": tmp_path}
    with pytest.raises(TerminationRequested):
        Trainer(**options, callbacks=Ends()).fit(BoringTask())
    (line,) = lines(caplog, "SIGTERM: training ends here")
    assert line.endswith("No checkpoint was written.")


def test_data_of_a_call_are_not_said_to_be_those_of_the_task(caplog):
    task = BoringTask()
    trainer = fitted(task, max_epochs=1)
    trainer.predict(task, np.ones((3, 32), "float32"), collect=True)
    (line,) = lines(caplog, "predict BoringTask")
    assert line == "predict BoringTask; 66 weights; data of this call; CPU:0; float32"
