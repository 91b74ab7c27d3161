"""The last updates of a run are on the disk where the last checkpoint is kept."""

import os
import sys

import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import EarlyStopping, ModelCheckpoint, ModelSummary, ProgressBar
from lightning_tf.callbacks.wandb.artifacts import WandbArtifacts
from lightning_tf.checkpoint.io import read_run
from lightning_tf.exceptions import ConfigurationError


def fit(task, saves, *callbacks, **arguments):
    arguments = {"max_steps": 7, **arguments}
    trainer = Trainer(
        **quiet(enable_checkpointing=True, callbacks=[saves, *callbacks], **arguments)
    )
    trainer.fit(task)
    return trainer


def number_task(count=5):
    return NumberTask(NumberData(range(count), held_out=[1]))


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ({"every_n_train_steps": 5}, {}),
        ({"every_n_train_steps": 5}, {"max_steps": None, "max_epochs": 2}),
        ({"every_n_epochs": 2}, {}),
        ({"every_n_train_steps": 5, "save_top_k": 0}, {}),
        ({"every_n_train_steps": 5, "monitor": "val_loss"}, {"max_steps": None, "max_epochs": 2}),
    ],
    ids=str,
)
def test_save_last_saves_at_the_end_of_fit(tmp_path, arguments, limits):
    trainer = fit(number_task(4), ModelCheckpoint(tmp_path, save_last=True, **arguments), **limits)
    assert read_run(tmp_path / "last.ckpt")["progress"]["global_step"] == trainer.global_step


def test_nothing_is_written_twice(tmp_path):
    saves = ModelCheckpoint(tmp_path, save_last="link", every_n_train_steps=7)
    fit(number_task(), saves)
    assert os.path.islink(tmp_path / "last.ckpt")


def test_the_last_one_is_the_run_and_not_what_callbacks_leave_in_the_task(tmp_path):
    stops = EarlyStopping("val_loss", restore_best_weights=True)
    last = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=50)
    trainer = fit(number_task(), last, stops, max_steps=None, max_epochs=2)
    assert float(trainer.task.weight) == -10.0  # after epoch 0, whose val_loss no other was below
    again = number_task()
    Trainer(**quiet()).validate(again, ckpt_path=tmp_path / "last.ckpt")
    assert float(again.weight) == -20.0


@pytest.mark.parametrize("monitor", ["step", "epoch"])
def test_where_the_run_is_can_be_monitored(tmp_path, monitor):
    saves = ModelCheckpoint(
        tmp_path, monitor=monitor, mode="max", save_top_k=2, filename="{step}", every_n_epochs=1
    )
    fit(number_task(2), saves, max_steps=8)
    assert sorted(os.listdir(tmp_path)) == ["step=6.ckpt", "step=8.ckpt"]


def test_every_checkpoint_that_is_sent_has_its_score(tmp_path):
    scores = []

    class Sends(ModelCheckpoint):
        def _notify_loggers(self, trainer):
            scores.extend(
                artifact.metadata["score"] for artifact in artifacts.after_save(self, "model")
            )

    artifacts = WandbArtifacts("all")
    saves = Sends(tmp_path, monitor="loss", save_last=True, save_top_k=1, every_n_epochs=1)
    fit(number_task(2), saves, max_steps=8)
    assert scores
    assert None not in scores[1:]  # the first is asked for before anything is written
    assert saves.score_of(str(tmp_path / "last.ckpt")) is not None
    assert saves.score_of("elsewhere") is None


def test_a_folder_that_cannot_be_made_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    task = BoringTask()
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*file"):
        fit(task, ModelCheckpoint(), default_root_dir=tmp_path / "file" / "runs")
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*file"):
        fit(task, ModelCheckpoint(tmp_path / "file" / "below"))
    assert os.listdir(tmp_path) == ["file"]


def test_the_home_folder_is_known_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    trainer = fit(number_task(), ModelCheckpoint("~/saved"), default_root_dir="~/runs")
    assert trainer.default_root_dir == str(tmp_path / "runs")
    trainer.save_checkpoint("~/one.ckpt")
    Trainer(**quiet()).validate(number_task(), ckpt_path="~/one.ckpt")
    assert sorted(os.listdir(tmp_path)) == ["one.ckpt", "saved"]
    with pytest.raises(ConfigurationError, match="default_root_dir got 3"):
        Trainer(default_root_dir=3)


def test_a_process_without_standard_output_trains(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    trainer = Trainer(**quiet(max_epochs=1, callbacks=[ProgressBar(), ModelSummary()]))
    trainer.fit(BoringTask())
    assert trainer.current_epoch == 1
