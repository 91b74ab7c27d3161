"""A program that is started again goes on with each of its fits, and with nothing of others."""

import itertools
import logging

import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.run import launched_fit
from lightning_tf.run.launched_fit import LAUNCH, RESTART, LaunchedFit
from lightning_tf.variables import named_weights


class Stop(Callback):
    """Ends the process, as far as a test can."""

    every_n_steps = 6

    def on_train_window_end(self, trainer, task):
        if trainer.global_step == 6:
            raise InterruptedError


@pytest.fixture
def start(monkeypatch):
    """Begin a process of a launch."""

    def begin(launch, restart):
        monkeypatch.setattr(launched_fit, "_numbers", itertools.count(1))
        monkeypatch.setenv(LAUNCH, launch)
        monkeypatch.setenv(RESTART, str(restart))

    return begin


def fit(folder, *callbacks, max_epochs=2, **options):
    """Train in a folder of runs, each of which has one of its own."""
    saves = {"enable_checkpointing": True, "default_root_dir": folder, "seed": 0, "logger": True}
    trainer = Trainer(**{**quiet(max_epochs=max_epochs), **saves}, callbacks=list(callbacks))
    task = BoringTask()
    trainer.fit(task, **options)
    return trainer, {name: v.numpy().tolist() for name, v in named_weights(task).items()}


def test_without_a_launcher_there_is_nothing_to_note():
    assert LaunchedFit.begin({}) is None


def test_a_restarted_program_goes_on_though_it_does_not_ask_for_it(tmp_path, start, caplog):
    _, unbroken = fit(tmp_path / "unbroken")
    start("a", 0)
    with pytest.raises(InterruptedError):
        fit(tmp_path / "broken", Stop())

    start("a", 1)
    with caplog.at_level(logging.INFO, "lightning_tf"):
        trainer, weights = fit(tmp_path / "broken")
    assert trainer.resumed
    assert weights == unbroken
    assert "restart 1: fit goes on from what it saved last." in caplog.text


def test_checkpoints_of_another_launch_are_not_taken_up(tmp_path, start, caplog):
    start("a", 0)
    fit(tmp_path)
    start("b", 1)
    with caplog.at_level(logging.INFO, "lightning_tf"):
        trainer, _ = fit(tmp_path)
    assert not trainer.resumed
    assert "restart 1: this fit has saved nothing yet; it begins anew." in caplog.text


def test_each_fit_of_a_program_finds_its_own(tmp_path, start):
    _, unbroken = fit(tmp_path / "unbroken", max_epochs=3)
    start("a", 0)
    fit(tmp_path / "broken")
    with pytest.raises(InterruptedError):
        fit(tmp_path / "broken", Stop(), max_epochs=3)

    start("a", 1)
    first, _ = fit(tmp_path / "broken")
    second, weights = fit(tmp_path / "broken", max_epochs=3)
    assert (first.resumed, first.global_step) == (True, 8)
    assert second.ckpt_path.endswith("epoch=0-step=4.ckpt")
    assert weights == unbroken


def test_a_fit_that_took_weights_goes_on_from_its_own_checkpoint(tmp_path, start):
    trainer, _ = fit(tmp_path / "before")
    weights = {"ckpt_path": trainer.checkpoint_callback.last_model_path, "weights_only": True}
    _, unbroken = fit(tmp_path / "unbroken", **weights)
    start("a", 0)
    with pytest.raises(InterruptedError):
        fit(tmp_path / "broken", Stop(), **weights)
    start("a", 1)
    trainer, after = fit(tmp_path / "broken", **weights)
    assert trainer.resumed
    assert after == unbroken


def test_without_checkpoints_a_restart_begins_anew_and_warns(start, caplog):
    start("a", 1)
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(BoringTask())
    assert "no callback writes checkpoints; fit begins anew" in caplog.text
