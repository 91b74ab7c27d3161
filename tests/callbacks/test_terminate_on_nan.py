import logging
import math
import os

import keras
import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint, TerminateOnNaN
from lightning_tf.exceptions import NonFiniteLossError


def numbers(bad_at, bad, count=10):
    values = [0.0] * count
    values[bad_at] = bad
    return NumberData(values)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_training_ends_in_good_order_at_the_row_that_shows_it(bad, caplog):
    rows = Rows()
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(
            NumberTask(numbers(4, bad)),
            max_epochs=9,
            log_every_n_steps=3,
            logger=rows,
            callbacks=[TerminateOnNaN()],
        )
    assert trainer.global_step == 6
    assert trainer.stop_reason.endswith("at update 6")
    assert "loss = " in trainer.stop_reason
    assert rows.ends == ["success"]
    assert sum("update 5" in record.message for record in caplog.records) == 1


def test_without_a_row_the_end_of_the_epoch_shows_it():
    trainer = fitted(NumberTask(numbers(4, math.nan)), max_epochs=9, callbacks=[TerminateOnNaN()])
    assert (trainer.current_epoch, trainer.global_step) == (1, 10)


def test_without_it_fit_raises():
    with pytest.raises(NonFiniteLossError, match="update 5"):
        fitted(NumberTask(numbers(4, math.nan)), max_epochs=9)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_no_checkpoint_of_bad_weights_replaces_a_good_one(tmp_path, every):
    saves = ModelCheckpoint(tmp_path, every_n_train_steps=every)
    arguments = quiet(max_epochs=2, log_every_n_steps=10, callbacks=[TerminateOnNaN(), saves])
    trainer = Trainer(**{**arguments, "enable_checkpointing": True})
    trainer.fit(NumberTask(numbers(4, math.nan)))
    good = {1: 4, 2: 4}.get(every)
    kept = [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    assert kept == ([] if good is None else [f"epoch=0-step={good}.ckpt"])
    assert not trainer.loss_is_finite()


def test_a_good_loss_stops_nothing():
    trainer = fitted(BoringTask(), max_epochs=2, log_every_n_steps=1, callbacks=[TerminateOnNaN()])
    assert (trainer.current_epoch, trainer.stop_reason) == (2, "")
    assert trainer.loss_is_finite()


def test_an_overflow_under_mixed_float16_stops_only_once_the_scale_is_down_at_one():
    def run(bad_batches):
        values = [math.inf] * bad_batches + [0.0] * (40 - bad_batches)
        task = NumberTask(NumberData(values), keras.optimizers.SGD(0.5))
        return fitted(
            task,
            max_epochs=1,
            log_every_n_steps=1,
            precision="mixed_float16",
            callbacks=[TerminateOnNaN()],
        )

    assert run(3).stop_reason == ""
    assert run(30).global_step == 15  # 2**15 is halved to 1


def test_a_validation_loss_is_not_its_business():
    data = NumberData([0.0, 0.0], held_out=[math.nan])
    trainer = fitted(NumberTask(data), max_epochs=3, callbacks=[TerminateOnNaN()])
    assert trainer.current_epoch == 3
