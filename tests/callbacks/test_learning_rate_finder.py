import logging
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.resumable import TwoParts, everything, resumed
from helpers.scripted import Scripted

from lightning_tf import Trainer
from lightning_tf.callbacks import (
    EMA,
    CSVLogger,
    EarlyStopping,
    LearningRateFinder,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning_tf.callbacks.common.swept_schedule import SweptSchedule
from lightning_tf.callbacks.learning_rate_finder import smooth_losses, suggest_rate
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.run_state import everything as variables_of
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.common.schedules import Warmup


class Noted(LearningRateFinder):
    """Notes every variable and position before and after the search."""

    def on_train_start(self, trainer, task):
        before = self._state(trainer, task)
        super().on_train_start(trainer, task)
        assert self._state(trainer, task) == before
        self.compared = True

    def _state(self, trainer, task):
        values = {name: v.numpy().tobytes() for name, v in variables_of(trainer, task).items()}
        states = [c.state_dict() for c in trainer.callbacks if c is not self]
        return values, trainer.progress.state_dict(), states, dict(trainer.callback_metrics)


class Quadratic(NumberTask):
    """The loss ``mean((w - x)^2)``: a rate of 0.5 lands on the newest x, one above 1 diverges."""

    def training_step(self, batch):
        self.traced["training"] += 1
        return tf.reduce_mean((self.weight - batch) ** 2)


NUMBERS = [2.0, 4.0, 3.0, 5.0]


def test_it_leaves_everything_as_it_was(tmp_path):
    def run(*finders):
        rows = Rows()
        saves = ModelCheckpoint(tmp_path / "saves", monitor="val_loss", save_top_k=-1)
        callbacks = [EMA(0.9), EarlyStopping("val_loss", restore_best_weights=True), saves]
        trainer = Trainer(
            **{
                **quiet(max_epochs=2, seed=3, log_every_n_steps=2, logger=rows),
                "callbacks": [*finders, *callbacks],
                "enable_checkpointing": True,
            }
        )
        trainer.fit(TwoParts())
        state = everything(trainer)
        state["callbacks"].pop("Noted", None)
        return state, rows.rows, sorted(os.listdir(tmp_path / "saves"))

    plain = run()
    for name in plain[2]:
        assert name.endswith(".ckpt")
    finder = Noted(num_training_steps=30, update=False)
    for name in list(os.listdir(tmp_path / "saves")):
        os.rename(tmp_path / "saves" / name, tmp_path / name)
    assert run(finder) == plain
    assert finder.compared
    assert len(finder.losses) == 30


def test_only_the_rate_moves_and_the_step_is_traced_once():
    task = Quadratic(NumberData(NUMBERS), keras.optimizers.SGD(1e-3))
    finder = LearningRateFinder(1e-4, 10.0, 60)
    before = []

    class Looks(EMA):
        def on_train_epoch_start(self, trainer, task):
            before.append((float(task.weight), float(trainer.optimizers[""].learning_rate)))

    trainer = fitted(task, max_epochs=1, callbacks=[finder, Looks()])
    assert before == [(0.0, pytest.approx(finder.suggestion))]
    assert task.traced["training"] == 1
    assert trainer.global_step == 4
    assert 1e-3 < finder.suggestion < 1.0


def test_the_search_ends_where_the_loss_grows():
    task = Quadratic(NumberData(NUMBERS), keras.optimizers.SGD(1e-3))
    finder = LearningRateFinder(1e-2, 1e3, 100, early_stop_threshold=4.0)
    fitted(task, max_epochs=1, callbacks=[finder])
    assert 1.0 < finder.rates[-1] < 1e3
    endless = LearningRateFinder(1e-2, 1e3, 100, early_stop_threshold=None, update=False)
    fitted(Quadratic(NumberData(NUMBERS)), max_epochs=1, max_steps=1, callbacks=[endless])
    assert len(endless.rates) > len(finder.rates)
    assert all(math.isfinite(loss) for loss in endless.losses)


def test_accumulated_batches_make_one_update():
    task = Quadratic(NumberData([1.0, 3.0]), keras.optimizers.SGD(1e-3))
    finder = LearningRateFinder(1e-4, 1e-3, 20, mode="linear", update=False)
    fitted(task, max_epochs=1, accumulate_grad_batches=2, callbacks=[finder])
    assert finder.losses[0] == 5.0
    weight = finder.rates[0] * 4.0  # the mean of the gradients -2 and -6
    expected = ((weight - 1.0) ** 2 + (weight - 3.0) ** 2) / 2
    assert finder.losses[1] == pytest.approx(expected, rel=1e-5)
    assert np.diff(finder.rates) == pytest.approx(np.full(19, 9e-4 / 19))


def test_one_of_several_optimizers_is_searched():
    finder = LearningRateFinder(1e-4, 1.0, 20, optimizer="head")
    task = TwoParts({"backbone": 0.25, "head": 0.5})
    trainer = fitted(task, max_epochs=1, seed=0, callbacks=[finder])
    rates = {name: float(o.learning_rate) for name, o in trainer.optimizers.items()}
    assert rates["backbone"] == 0.25
    expected = 0.5 if finder.suggestion is None else finder.suggestion
    assert rates["head"] == pytest.approx(expected)
    for wrong in (None, "haed"):
        with pytest.raises(ConfigurationError, match="head"):
            fitted(
                TwoParts({"backbone": 0.25, "head": 0.5}),
                max_epochs=1,
                callbacks=[LearningRateFinder(optimizer=wrong)],
            )


def cosine(rate=0.02, updates=16):
    return keras.optimizers.schedules.CosineDecay(rate, updates)


@pytest.mark.slow
def test_under_a_schedule_the_search_tries_its_own_rates_and_the_schedule_stays():
    def run(*finders):
        rows = Rows()
        arguments = {"max_epochs": 2, "seed": 3, "log_every_n_steps": 1, "logger": rows}
        trainer = fitted(
            TwoParts(cosine()), callbacks=[*finders, LearningRateMonitor()], **arguments
        )
        state = everything(trainer)
        state["callbacks"].pop("Noted", None)
        return state, rows.rows

    plain = run()
    finder = Noted(1e-4, 1e-1, 30, update=False)
    assert run(finder) == plain
    assert finder.compared
    constant = LearningRateFinder(1e-4, 1e-1, 30, update=False)
    fitted(TwoParts(0.02), max_epochs=2, seed=3, callbacks=[constant])
    assert finder.losses == constant.losses


def test_a_schedule_is_scaled_to_the_suggestion():
    finder = LearningRateFinder(1e-4, 1.0, 40)
    rows = Rows()
    task = Quadratic(NumberData(NUMBERS * 4), keras.optimizers.SGD(Warmup(cosine(1e-3), 4)))
    monitor = LearningRateMonitor()
    fitted(task, max_epochs=1, log_every_n_steps=1, logger=rows, callbacks=[finder, monitor])
    rates = [rate for _, rate in rows.column("train/learning_rate")]
    assert max(rates) == pytest.approx(finder.suggestion)
    schedule = Warmup(cosine(1e-3), 4)
    expected = [float(schedule(step)) / 1e-3 * finder.suggestion for step in range(1, 17)]
    assert rates == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.slow
def test_a_scaled_schedule_goes_on_in_a_resumed_run(tmp_path):
    arguments = {"seed": 3, "log_every_n_steps": 1}
    whole = fitted(TwoParts(cosine()), max_epochs=2, callbacks=[LearningRateFinder()], **arguments)
    half = fitted(TwoParts(cosine()), max_epochs=1, callbacks=[LearningRateFinder()], **arguments)
    half.save_checkpoint(tmp_path / "half")
    later = [LearningRateFinder()]
    again = resumed(
        TwoParts(cosine()), tmp_path / "half", max_epochs=2, callbacks=later, **arguments
    )
    assert everything(again) == everything(whole)
    assert later[0].variables()["factor"].numpy() != 1.0


def test_the_schedule_of_the_first_task_of_the_package_is_searched():
    task = ImageClassification(data="digits", network="linear")  # its schedule is cosine
    finder = LearningRateFinder(1e-5, 1.0, 30)
    fitted(task, max_steps=20, seed=0, callbacks=[finder])
    assert len(finder.losses) > 12
    assert finder.suggestion is not None


def test_the_highest_rate_is_found_between_the_looks():
    swept = SweptSchedule(Warmup(cosine(1.0, 10_000), 1237))
    assert swept.highest(10_000) == pytest.approx(1.0, abs=1e-4)
    assert SweptSchedule(cosine(0.5, 3)).highest(1) == 0.5
    swept = SweptSchedule(cosine(), factor=0.5)
    assert float(SweptSchedule.from_config(swept.get_config())(8)) == float(cosine()(8)) / 2


def test_a_rate_that_is_no_number_and_no_schedule_is_refused():
    optimizer = keras.optimizers.SGD(lambda: 0.1)
    with pytest.raises(ConfigurationError, match="the learning rate is function"):
        fitted(
            Quadratic(NumberData(NUMBERS), optimizer),
            max_epochs=1,
            callbacks=[LearningRateFinder()],
        )


def test_a_resumed_run_does_not_search_and_knows_what_was_found(tmp_path):
    first = LearningRateFinder(1e-3, 1.0, 40)
    trainer = fitted(TwoParts(), max_epochs=1, seed=3, callbacks=[first])
    trainer.save_checkpoint(tmp_path / "half")
    trainer.max_epochs = 2
    trainer.fit(trainer.task)
    later = LearningRateFinder(1e-3, 1.0, 40)
    again = resumed(TwoParts(), tmp_path / "half", max_epochs=2, seed=3, callbacks=[later])
    assert later.state_dict() == first.state_dict()
    assert everything(again) == everything(trainer)


def test_another_task_is_searched_anew_and_a_fast_dev_run_is_not():
    finder = LearningRateFinder(1e-3, 1.0, 20)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[finder]))
    trainer.fit(BoringTask())
    first = finder.losses
    trainer.fit(Scripted([1]))
    assert len(finder.losses) > 0
    assert finder.losses is not first
    quick = LearningRateFinder()
    fitted(BoringTask(), fast_dev_run=1, callbacks=[quick])
    assert quick.rates == []


def test_loggers_get_the_image_and_nothing_else(tmp_path):
    finder = LearningRateFinder(1e-4, 10.0, 60)
    logger = CSVLogger(curves=False)
    arguments = quiet(max_epochs=1, default_root_dir=tmp_path, logger=logger, callbacks=[finder])
    Trainer(**arguments).fit(Quadratic(NumberData(NUMBERS), keras.optimizers.SGD(1e-3)))
    written = ["calls.jsonl", "figures", "hparams.json", "metrics.csv"]
    assert sorted(os.listdir(logger.log_dir)) == written
    assert os.listdir(os.path.join(logger.log_dir, "figures")) == [
        "learning_rate_finder_00000000.png"
    ]
    axes = finder.plot().axes[0]
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == 3
    assert axes.lines[2].get_xdata()[0] == finder.suggestion


def test_a_loss_that_falls_nowhere_changes_nothing(caplog):
    class Flat(NumberTask):
        def training_step(self, batch):
            return tf.reduce_mean(batch) + 0.0 * self.weight

    task = Flat(NumberData([1.0, 1.0]), keras.optimizers.SGD(0.5))
    finder = LearningRateFinder(num_training_steps=20)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(task, max_epochs=1, callbacks=[finder])
    assert finder.suggestion is None
    assert float(trainer.optimizers[""].learning_rate) == 0.5
    assert sum("falls nowhere" in record.message for record in caplog.records) == 1


def test_a_loss_that_is_no_number_from_the_start_changes_nothing():
    task = NumberTask(NumberData([0.0, 0.0]), keras.optimizers.SGD(0.5))
    task.training_step = lambda batch: tf.reduce_mean(batch) / 0.0 * task.weight
    finder = LearningRateFinder(num_training_steps=20)
    with pytest.raises(Exception, match="NaN or infinite"):
        fitted(task, max_epochs=1, callbacks=[finder])
    assert (finder.rates, finder.suggestion) == ([], None)


def test_the_suggestion_is_where_the_smoothed_loss_falls_fastest():
    rates = np.geomspace(1e-5, 1.0, 100).tolist()
    losses = (3.0 - 2.0 / (1.0 + np.exp(-(np.arange(100) - 50.0)))).tolist()
    state = suggest_rate(rates, losses)
    assert rates[50] <= state <= rates[60]
    losses[70] += 3.0  # a jump as large as the loss, after which its average falls for a moment
    assert rates[45] <= suggest_rate(rates, losses) <= rates[60]
    assert smooth_losses([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert suggest_rate(rates[:12], losses[:12]) is None
    assert suggest_rate(rates, list(range(100))) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "exponental"}, "Did you mean 'exponential'"),
        ({"min_lr": 0.0}, r"min_lr=0\.0"),
        ({"min_lr": 2.0}, r"min_lr=2\.0"),
        ({"num_training_steps": 12}, "num_training_steps is 12"),
        ({"early_stop_threshold": 1.0}, "early_stop_threshold"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        LearningRateFinder(**arguments)
