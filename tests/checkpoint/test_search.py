import json
import logging
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, quiet
from helpers.paths import SEARCHED

from lightning_tf import Trainer
from lightning_tf.callback import CheckpointCallback
from lightning_tf.callbacks import CSVLogger, ModelCheckpoint
from lightning_tf.checkpoint import search as checkpoint_search
from lightning_tf.checkpoint.io import (
    RUN_FILE,
    TENSORS_FILE,
    Snapshot,
    read_checkpoint,
    read_run,
    write_checkpoint,
)
from lightning_tf.exceptions import CheckpointError, ConfigurationError


class ByStep(NumberTask):
    """val_loss falls to 2 in the second epoch and rises again."""

    def validation_step(self, batch):
        return abs(self.weight + 4.0) + 2.0


def task_of(kind=NumberTask):
    return kind(NumberData([1, 1], held_out=[1]))


def trained(root, epochs, ckpt_path=None, kind=NumberTask, **arguments):
    """A Trainer as a new process would make it."""
    saves = ModelCheckpoint(save_top_k=-1) if kind is NumberTask else ModelCheckpoint("val_loss")
    defaults = {"callbacks": [saves], "enable_checkpointing": True, "default_root_dir": root}
    trainer = Trainer(**{**quiet(max_epochs=epochs), **defaults, **arguments})
    trainer.fit(task_of(kind), ckpt_path=ckpt_path)
    return trainer


def damage(path):
    with open(os.path.join(path, TENSORS_FILE), "r+b") as file:
        file.truncate(10)


def test_last_is_the_newest_of_an_earlier_process(tmp_path):
    trained(tmp_path, 2)
    again = trained(tmp_path, 3, "last")
    assert again.resumed
    assert again.ckpt_path.endswith("epoch=1-step=4.ckpt")
    assert again.global_step == 6


def test_last_is_found_in_the_newest_of_a_loggers_runs(tmp_path):
    for epochs in (2, 1):  # the second run is newer though it is shorter
        trained(tmp_path, epochs, logger=CSVLogger())
    again = trained(tmp_path, 3, "last", logger=CSVLogger())
    assert again.ckpt_path == str(
        tmp_path / "runs" / "version_1" / "checkpoints" / "epoch=0-step=2.ckpt"
    )
    assert again.log_dir.endswith("version_1")


def test_last_starts_anew_and_says_so_where_nothing_was_ever_written(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        first = trained(tmp_path, 1, "last")
    assert not first.resumed
    assert first.global_step == 2
    assert "there is no checkpoint of this run yet" in caplog.text


def test_last_falls_back_to_the_newest_whole_one_and_says_so(tmp_path, caplog):
    trained(tmp_path, 3)
    folder = tmp_path / "checkpoints"
    damage(folder / "epoch=2-step=6.ckpt")
    (folder / "epoch=1-step=4.ckpt" / RUN_FILE).unlink()
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = trained(tmp_path, 4, "last")
    assert again.ckpt_path.endswith("epoch=0-step=2.ckpt")
    assert again.global_step == 8
    assert "epoch=2-step=6.ckpt/state.safetensors is damaged" in caplog.text
    assert "falls back to" in caplog.text


def test_last_is_an_error_where_every_checkpoint_is_damaged(tmp_path):
    trained(tmp_path, 1)
    damage(tmp_path / "checkpoints" / "epoch=0-step=2.ckpt")
    with pytest.raises(CheckpointError, match=r"no checkpoint can be read: .*step=2\.ckpt"):
        trained(tmp_path, 2, "last")


def test_last_passes_over_other_tasks_and_weights_alone(tmp_path):
    first = trained(tmp_path, 1)
    trained(tmp_path, 2, kind=ByStep, callbacks=[ModelCheckpoint()])
    first.save_checkpoint(tmp_path / "checkpoints" / "weights.ckpt", weights_only=True)
    again = trained(tmp_path, 2, "last")
    assert again.ckpt_path.endswith("epoch=0-step=2.ckpt")


SCRIPT = """
import sys

from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Trainer
from lightning_tf.callback import CheckpointCallback


class Rows(NumberData):
    pass


class Descends(NumberTask):
    pass


def fit(root, epochs, rows=(1, 1)):
    arguments = {**quiet(max_epochs=epochs), "enable_checkpointing": True}
    trainer = Trainer(**arguments, default_root_dir=root)
    trainer.fit(Descends(Rows(list(rows))), ckpt_path="last")
    return trainer


if __name__ == "__main__":
    print("resumed:", fit(sys.argv[1], int(sys.argv[2])).resumed)
"""


@pytest.mark.slow
def test_last_of_a_script_and_of_its_import_is_the_same(tmp_path, monkeypatch):
    (tmp_path / "train_script.py").write_text(SCRIPT)

    def run(epochs):
        return subprocess.run(
            [sys.executable, tmp_path / "train_script.py", tmp_path, str(epochs)],
            env={**os.environ, "PYTHONPATH": SEARCHED},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "resumed: False" in run(1)
    monkeypatch.syspath_prepend(tmp_path)
    imported = import_module("train_script").fit(tmp_path, 2)
    assert imported.ckpt_path.endswith("epoch=0-step=2.ckpt")
    assert imported.global_step == 4
    assert "resumed: True" in run(3)


class Reads(NumberTask):
    """A task with an argument, which a folder of checkpoints may hold under two modules."""

    def __init__(self, data, start=None, units=1):
        super().__init__(data)
        self.start, self.units = start, units


class Writes(Reads):
    pass


@pytest.mark.parametrize(
    ("kind", "module", "start", "units", "resumed"),
    [
        (Reads, "old.place", None, 1, True),
        (Reads, "old.place", 5, 1, True),  # learned by the run, asked for by nobody
        (Reads, "old.place", None, 2, False),
        (Writes, "old.place", None, 1, False),
        (Reads, Reads.__module__, None, 2, False),
    ],
    ids=["moved", "learned", "other arguments", "other name", "the same class, other arguments"],
)
def test_last_finds_a_class_that_moved_and_no_other_of_its_name(
    tmp_path, monkeypatch, kind, module, start, units, resumed
):
    def fit(task, epochs):
        arguments = {**quiet(max_epochs=epochs), "enable_checkpointing": True}
        trainer = Trainer(**arguments, default_root_dir=tmp_path)
        trainer.fit(task, ckpt_path="last")
        return trainer

    data = NumberData([1, 1])
    with monkeypatch.context() as before:
        before.setattr(kind, "__module__", module)
        fit(kind(data, start, units), 1)
    assert fit(Reads(data), 2).resumed == resumed


def test_a_task_is_rebuilt_from_a_checkpoint_of_its_class_in_another_module(tmp_path, monkeypatch):
    data = NumberData([1, 1])
    trainer = Trainer(**quiet(max_epochs=1))
    with monkeypatch.context() as before:
        before.setattr(Reads, "__module__", "__main__")
        trainer.fit(Reads(data, units=3))
        trainer.save_checkpoint(tmp_path / "a")
    assert Reads.from_checkpoint(tmp_path / "a", data=data).units == 3


def test_last_of_a_folder_that_was_named_is_looked_for_there_alone(tmp_path):
    named = ModelCheckpoint(tmp_path / "mine")
    trained(tmp_path, 1, callbacks=[named])
    trained(tmp_path, 3)
    again = trained(tmp_path, 2, "last", callbacks=[ModelCheckpoint(tmp_path / "mine")])
    assert again.ckpt_path.startswith(str(tmp_path / "mine"))


def test_last_is_what_a_killed_process_had_moved_away(tmp_path):
    trained(tmp_path, 1)
    folder = tmp_path / "checkpoints"
    (folder / "epoch=0-step=2.ckpt").rename(folder / ".epoch=0-step=2.ckpt.elsewhere~1~00.old")
    again = trained(tmp_path, 2, "last")
    assert again.ckpt_path.endswith("epoch=0-step=2.ckpt")


@pytest.mark.parametrize("ckpt_path", ["best", "last"])
def test_evaluation_in_a_new_process_finds_it(tmp_path, ckpt_path):
    best = ModelCheckpoint(monitor="val_loss", save_last=True)
    trained(tmp_path, 3, kind=ByStep, callbacks=[best])
    again = Trainer(**{**quiet(default_root_dir=tmp_path), "enable_checkpointing": True})
    measured = again.validate(task_of(ByStep), ckpt_path=ckpt_path)
    assert measured["val_loss"] == {"best": 2.0, "last": 4.0}[ckpt_path]


@pytest.mark.parametrize("ckpt_path", ["best", "last"])
def test_evaluation_without_any_checkpoint_is_an_error(tmp_path, ckpt_path):
    again = Trainer(**{**quiet(default_root_dir=tmp_path), "enable_checkpointing": True})
    with pytest.raises(ConfigurationError, match=f"ckpt_path='{ckpt_path}'"):
        again.validate(task_of(), ckpt_path=ckpt_path)


def test_a_damaged_checkpoint_is_refused_before_anything_is_made(tmp_path):
    trainer = trained(tmp_path, 1)
    path = tmp_path / "checkpoints" / "epoch=0-step=2.ckpt"
    damage(path)
    fresh = task_of()
    again = Trainer(**{**quiet(max_epochs=2, logger=CSVLogger()), "default_root_dir": tmp_path})
    with pytest.raises(CheckpointError, match="damaged"):
        again.fit(fresh, ckpt_path=path)
    assert not fresh.configured
    assert not (tmp_path / "runs").exists()
    assert trainer.global_step == 2


def test_a_checkpoint_of_another_task_is_refused_by_path(tmp_path):
    trainer = trained(tmp_path, 1)
    trainer.save_checkpoint(tmp_path / "a")
    with pytest.raises(CheckpointError, match="another task"):
        Trainer(**quiet()).test(BoringTask(), ckpt_path=tmp_path / "a")


def test_a_registered_source_fetches_what_its_scheme_names(tmp_path, monkeypatch):
    first = trained(tmp_path / "first", 1)
    shelf = {"digits:best": first.checkpoint_callback.last_model_path}
    asked = []

    def fetch(reference, folder):
        asked.append((reference, folder))
        return shelf[reference]

    monkeypatch.setattr(checkpoint_search, "_sources", {})
    checkpoint_search.register_source("shelf", fetch)
    again = trained(tmp_path, 2, "shelf:digits:best")
    assert (again.resumed, again.global_step) == (True, 4)
    assert asked == [("digits:best", str(tmp_path))]


def test_a_path_with_an_unknown_scheme_is_a_path(tmp_path):
    with pytest.raises(CheckpointError, match=r"other:digits is no checkpoint"):
        trained(tmp_path, 1, "other:digits")


# ---- of this run, and no other


def fit_reads(root, epochs, units=1, ckpt_path=None, callbacks=(), **arguments):
    own = {"enable_checkpointing": True, "default_root_dir": root, "callbacks": [*callbacks]}
    trainer = Trainer(**{**quiet(max_epochs=epochs), **own, **arguments})
    trainer.fit(Reads(NumberData([1, 1], held_out=[1]), units=units), ckpt_path=ckpt_path)
    return trainer


def test_last_is_of_the_run_with_equal_arguments_among_newer_ones(tmp_path):
    first = fit_reads(tmp_path, 1, units=1, logger=CSVLogger())
    fit_reads(tmp_path, 3, units=2, logger=CSVLogger())
    again = fit_reads(tmp_path, 2, units=1, ckpt_path="last", logger=CSVLogger())
    assert again.ckpt_path == first.checkpoint_callback.last_model_path
    assert again.log_dir == first.log_dir


def test_last_takes_an_argument_that_is_nan_for_itself(tmp_path):
    fit_reads(tmp_path, 1, units=float("nan"))
    assert fit_reads(tmp_path, 2, units=float("nan"), ckpt_path="last").ckpt_path is not None


def test_last_says_what_it_saw_and_how_that_differs_where_nothing_fits(tmp_path, caplog):
    fit_reads(tmp_path, 1, units=1)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit_reads(tmp_path, 1, units=2, ckpt_path="last")
    assert not again.resumed
    assert "training starts anew" in caplog.text
    assert "epoch=0-step=2.ckpt has other hyperparameters: units 1 -> 2" in caplog.text


@pytest.mark.parametrize("ckpt_path", ["best", "last"])
def test_evaluation_says_what_it_saw_where_nothing_fits(tmp_path, ckpt_path):
    fit_reads(tmp_path, 1, units=1)
    again = Trainer(**{**quiet(default_root_dir=tmp_path), "enable_checkpointing": True})
    with pytest.raises(ConfigurationError, match=r"other hyperparameters: units 1 -> 2.*its path"):
        again.validate(Reads(NumberData([1], held_out=[1]), units=2), ckpt_path=ckpt_path)


def test_a_trainer_does_not_take_for_another_task_what_it_wrote(tmp_path):
    trainer = fit_reads(tmp_path, 1, units=1)
    other = Reads(NumberData([1, 1], held_out=[1]), units=2)
    for ckpt_path in ("last", "best"):
        with pytest.raises(ConfigurationError, match="units 1 -> 2"):
            trainer.validate(other, ckpt_path=ckpt_path)


def hand_copy(folder, written):
    shutil.copytree(written, folder / "copy.ckpt")
    return "copy.ckpt was renamed or copied: it was written as epoch=0-step=2.ckpt"


def renamed(folder, written):
    os.rename(written, folder / "mine.ckpt")
    return "mine.ckpt was renamed or copied"


def saved_by_hand(folder, written):
    fit_reads(folder.parent / "other", 1).save_checkpoint(folder / "hand.ckpt")
    return "hand.ckpt was written by no ModelCheckpoint"


def of_another_class(folder, written):
    trained(folder.parent, 5, kind=ByStep, callbacks=[ModelCheckpoint(folder)])
    return f"is of {ByStep.__module__}.ByStep, not of {Reads.__module__}.Reads"


STRANGERS = [hand_copy, renamed, saved_by_hand, of_another_class]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda f: f.__name__)
def test_last_never_takes_a_stranger(tmp_path, stranger, caplog):
    folder = tmp_path / "saved"
    written = fit_reads(tmp_path, 1, callbacks=[ModelCheckpoint(folder)])
    said = stranger(folder, written.checkpoint_callback.last_model_path)
    shutil.rmtree(written.checkpoint_callback.last_model_path, ignore_errors=True)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit_reads(tmp_path, 1, ckpt_path="last", callbacks=[ModelCheckpoint(folder)])
    assert not again.resumed
    assert said in caplog.text


@pytest.mark.parametrize("stranger", [hand_copy, saved_by_hand, of_another_class])
def test_last_is_the_runs_own_beside_newer_strangers(tmp_path, stranger):
    folder = tmp_path / "saved"
    saves = ModelCheckpoint(folder, save_last=True, save_top_k=0)
    fit_reads(tmp_path, 1, callbacks=[saves])
    stranger(folder, saves.last_model_path)
    again = fit_reads(tmp_path, 2, ckpt_path="last", callbacks=[ModelCheckpoint(folder)])
    assert again.ckpt_path == str(folder / "last.ckpt")


def test_every_kind_of_name_that_a_callback_writes_is_its_own(tmp_path):
    """Versions, links and fixed names too."""
    given = [
        ModelCheckpoint(filename="fixed", save_last="link", monitor="val_loss"),
        ModelCheckpoint(filename="fixed", every_n_train_steps=1, save_last=True),
    ]
    fit_reads(tmp_path, 2, callbacks=given)
    folder = tmp_path / "checkpoints"
    assert len(os.listdir(folder)) == 4
    for name in os.listdir(folder):
        assert os.path.basename(name) in read_run(folder / name)["written_by"]["names"]


def test_a_folder_that_was_moved_as_a_whole_is_found(tmp_path):
    fit_reads(tmp_path / "before", 1)
    shutil.move(tmp_path / "before", tmp_path / "after")
    assert fit_reads(tmp_path / "after", 2, ckpt_path="last").resumed


def test_of_two_equal_runs_the_newest_is_taken_and_said(tmp_path, caplog):
    fit_reads(tmp_path, 2, logger=CSVLogger())
    second = fit_reads(tmp_path, 1, logger=CSVLogger())
    newest = second.checkpoint_callback.last_model_path
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        again = fit_reads(tmp_path, 2, ckpt_path="last", logger=CSVLogger())
    assert again.ckpt_path == newest
    assert "2 runs of Reads with equal hyperparameters" in caplog.text
    assert f"the newest is taken, {newest}" in caplog.text


def test_last_is_the_newest_of_what_several_callbacks_of_a_trainer_wrote(tmp_path):
    rare = ModelCheckpoint(every_n_epochs=2)
    often = ModelCheckpoint(every_n_train_steps=1, save_top_k=-1)
    trainer = fit_reads(tmp_path, 3, callbacks=[rare, often])
    assert rare.last_model_path != often.last_model_path
    trainer.max_epochs = 4
    trainer.fit(trainer.task, ckpt_path="last")
    assert trainer.ckpt_path == str(tmp_path / "checkpoints" / "epoch=2-step=6.ckpt")


@pytest.mark.parametrize("in_order", [True, False])
def test_best_is_of_the_callback_that_judges_also_in_a_new_process(tmp_path, in_order):
    def callbacks():
        often = ModelCheckpoint(every_n_train_steps=1, save_top_k=-1)
        pair = [often, ModelCheckpoint(monitor="val_loss", mode="max", filename="judged-{epoch}")]
        return pair if in_order else pair[::-1]

    trainer = fit_reads(tmp_path, 3, callbacks=callbacks())
    trainer.validate(trainer.task, ckpt_path="best")
    found = Path(trainer.ckpt_path)
    assert found.name.startswith("judged")
    own = {"enable_checkpointing": True, "default_root_dir": tmp_path}
    again = Trainer(**quiet(**own, callbacks=callbacks()))
    again.validate(trainer.task, ckpt_path="best")
    assert Path(again.ckpt_path) == found


def test_weights_alone_are_named_where_nothing_fits(tmp_path, caplog):
    saves = ModelCheckpoint(save_weights_only=True)
    fit_reads(tmp_path, 1, callbacks=[saves])
    with caplog.at_level(logging.INFO, "lightning_tf"):
        fit_reads(tmp_path, 1, ckpt_path="last")
    assert "holds weights only" in caplog.text


class OwnWriter(CheckpointCallback):
    """A user's own callback that writes at the end of a fit."""

    def __init__(self, path):
        self.last_model_path, self.path = "", path

    def on_train_end(self, trainer, task):
        trainer.save_checkpoint(self.path)
        self.last_model_path = str(self.path)


def test_last_is_what_a_callback_of_the_users_own_wrote(tmp_path):
    trainer = fit_reads(tmp_path, 1, callbacks=[OwnWriter(tmp_path / "own")])
    trainer.max_epochs = 2
    trainer.fit(trainer.task, ckpt_path="last")
    assert trainer.ckpt_path == str(tmp_path / "own")


def set_back(path, seconds):
    """Write a checkpoint again as a machine would whose clock is so much behind."""
    checkpoint = read_checkpoint(path)
    run = {k: v for k, v in checkpoint.run.items() if k not in ("format", "sha256", "sha256_above")}
    run["saved_at"] -= seconds
    write_checkpoint(path, Snapshot(checkpoint.tensors, json.dumps(run)))


def test_last_goes_by_updates_where_the_clock_of_a_machine_is_an_hour_behind(tmp_path):
    trained(tmp_path, 3)
    set_back(tmp_path / "checkpoints" / "epoch=2-step=6.ckpt", 3600.0)
    assert trained(tmp_path, 4, "last").ckpt_path.endswith("epoch=2-step=6.ckpt")


def test_last_after_going_back_is_of_the_later_attempt_on_any_clock(tmp_path):
    trained(tmp_path, 3)
    folder = tmp_path / "checkpoints"
    again = trained(tmp_path, 2, folder / "epoch=0-step=2.ckpt")
    newest = again.checkpoint_callback.best_model_path
    assert read_run(newest)["attempt"] == 1
    set_back(newest, 3600.0)
    assert trained(tmp_path, 4, "last").ckpt_path == newest


def test_a_second_fit_of_a_new_task_is_another_run(tmp_path):
    trained(tmp_path, 3)
    second = trained(tmp_path, 1)
    newest = second.checkpoint_callback.best_model_path
    assert trained(tmp_path, 2, "last").ckpt_path == newest
    assert (
        read_run(newest)["run_id"]
        != read_run(tmp_path / "checkpoints/epoch=2-step=6.ckpt")["run_id"]
    )
