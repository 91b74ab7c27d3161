"""A run's folder tells which command trained, with what, and how it ended; the report shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.boring import BoringTask
from helpers.paths import ROOT
from helpers.run_folders import PageText

from lightning_tf import Callback, Trainer, report
from lightning_tf.callbacks import CSVLogger, EarlyStopping


def trainer_in(folder, **arguments):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 2}
    return Trainer(default_root_dir=folder, **{"max_epochs": 2, **quiet, **arguments})


def calls_of(folder):
    return [json.loads(line) for line in (Path(folder) / "calls.jsonl").read_text().splitlines()]


def test_each_entry_point_has_a_beginning_and_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "0.1"])
    trainer = trainer_in(tmp_path)
    trainer.fit(BoringTask())
    trainer.test(trainer.task)
    begin, end, begin_of_test, end_of_test = calls_of(trainer.log_dir)
    assert begin["command"] == ["train.py", "--lr", "0.1"]
    assert begin["task"] == "helpers.boring.BoringTask"
    assert begin["entry_point"] == "fit"
    assert {"keras", "tensorflow", "python"} <= set(begin["packages"])
    assert begin["machine"]["system"]
    assert (end["status"], end["reason"], end["call"]) == ("success", "", begin["call"])
    assert end["time"] >= begin["time"]
    assert begin_of_test["entry_point"] == "test"
    assert end_of_test["call"] == begin_of_test["call"] != begin["call"]


def test_the_report_of_a_real_run_shows_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "0.1"])
    trainer = trainer_in(tmp_path, max_epochs=3)
    trainer.fit(BoringTask())
    page = PageText(report(trainer.log_dir).read_text())
    for text in ("BoringTask", "success", "train.py --lr 0.1", "val/accuracy", "max_epochs"):
        assert text in page.text
    assert page.count("svg", role="img") == 2  # loss and accuracy
    assert page.count("p", **{"class": "note"}) == 0


def test_who_asked_for_the_end_and_what_is_better_is_told(tmp_path):
    stop = EarlyStopping("val_loss", patience=1, min_delta=100.0)
    trainer = trainer_in(tmp_path, max_epochs=9, callbacks=[stop])
    trainer.fit(BoringTask())
    begin, end = calls_of(trainer.log_dir)
    assert begin["modes"]["val/loss"] == "min"
    assert "val_loss" in end["reason"]
    assert f"success: {end['reason']}" in PageText(report(trainer.log_dir).read_text()).text


class Fails(Callback):
    def on_train_epoch_end(self, trainer, task):
        raise RuntimeError("<b>out of luck</b>")


def test_a_failure_is_told_with_its_words(tmp_path):
    trainer = trainer_in(tmp_path, callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="luck"):
        trainer.fit(BoringTask())
    _, end = calls_of(trainer.log_dir)
    assert (end["status"], end["reason"]) == ("failed", "RuntimeError: <b>out of luck</b>")
    page = PageText(report(trainer.log_dir).read_text())
    assert "failed: RuntimeError: <b>out of luck</b>" in page.texts


class FailsAtOnce(Callback):
    def on_train_start(self, trainer, task):
        raise RuntimeError("out of luck")


def test_a_run_that_failed_before_its_first_row_leaves_no_folder(tmp_path):
    trainer = trainer_in(tmp_path, num_sanity_val_steps=0, callbacks=[FailsAtOnce()])
    with pytest.raises(RuntimeError, match="luck"):
        trainer.fit(BoringTask())
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.slow
def test_the_report_of_a_killed_run_shows_what_it_had_written(tmp_path):
    code = (
        "import os\nfrom helpers.boring import BoringTask\n"
        "from lightning_tf import Callback, Trainer\n"
        "class Kill(Callback):\n"
        "    def on_validation_end(self, trainer, task):\n"
        "        if trainer.current_epoch == 2: os.kill(os.getpid(), 9)\n"
        "Trainer(max_epochs=9, log_every_n_steps=1, callbacks=[Kill()]).fit(BoringTask())\n"
    )
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.returncode == -9
    page = PageText(report(tmp_path / "runs" / "version_0").read_text())
    assert "no end on record: going on, or killed" in page.texts
    assert page.count("svg", role="img") == 2


def test_a_resumed_run_adds_its_own_call(tmp_path):
    trainer = trainer_in(tmp_path, max_epochs=1)
    trainer.fit(BoringTask())
    resumed = trainer_in(tmp_path, max_epochs=2, logger=CSVLogger())
    resumed.fit(BoringTask(), ckpt_path="last")
    assert resumed.log_dir == trainer.log_dir
    assert [call["event"] for call in calls_of(resumed.log_dir)] == ["begin", "end"] * 2
