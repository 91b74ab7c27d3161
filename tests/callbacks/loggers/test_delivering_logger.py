"""A run that a logger sends by way of this disk, over entry points and processes."""

import sys

import numpy as np
import pytest
from helpers.boring import BoringTask, fitted, quiet
from helpers.kept_run import KeptLogger, KeptRun, Tracker

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import MLflowLogger, TrackioLogger
from lightning_tf.callbacks.loggers import delivery
from lightning_tf.exceptions import ConfigurationError


@pytest.fixture
def tracker(monkeypatch):
    monkeypatch.setattr(delivery, "PAUSE", 0.01)
    monkeypatch.setattr(KeptRun, "tracker", Tracker())
    return KeptRun.tracker


class Shows(Callback):
    def on_fit_end(self, trainer, task):
        trainer.log_images("pictures", np.zeros((1, 8, 8, 3), "uint8"))
        trainer.log_table("cells", ["a"], [[np.int64(1)], [np.zeros(2)]])
        trainer.log_file("program", __file__)


def test_rows_and_files_of_all_kinds_arrive(tmp_path, tracker):
    logger = KeptLogger(tmp_path)
    fitted(BoringTask(), max_epochs=1, log_every_n_steps=2, logger=logger, callbacks=[Shows()])
    assert [step for step, _ in tracker.column("train/loss")] == [2, 4]
    assert [step for step, _ in tracker.column("val/loss")] == [4]
    files = {name: content for _, name, content in tracker.files}
    assert set(files) == {"image/pictures", "table/cells", "file/program"}
    assert files["image/pictures"].startswith(b"\x89PNG")
    assert files["table/cells"] == b'{"columns": ["a"], "rows": [[1], [[0.0, 0.0]]]}'
    assert tracker.ends == ["success"]


def test_a_resumed_run_goes_on_in_its_folder_without_a_double_row(tmp_path, tracker):
    first = KeptLogger(tmp_path)
    options = {"log_every_n_steps": 1, "seed": 0}
    trainer = fitted(BoringTask(), max_epochs=1, logger=first, **options)
    trainer.save_checkpoint(tmp_path / "saved")
    fitted(BoringTask(), max_epochs=2, logger=KeptLogger(tmp_path, first.run_id), **options)
    before = len(tracker.rows)

    again = KeptLogger(tmp_path)
    resumed = Trainer(**quiet(max_epochs=3, logger=again, **options))
    resumed.fit(BoringTask(), ckpt_path=str(tmp_path / "saved"))
    assert again.run_id == first.run_id
    assert resumed.global_step == 12
    new = [key for key in list(tracker.rows)[before:] if key[2] == "train/loss"]
    assert [step for step, _, _ in new] == [9, 10, 11, 12]  # 5 to 8 were there


def test_send_gives_the_tracker_what_waits_in_a_folder(tmp_path, tracker):
    tracker.is_away = True
    logger = KeptLogger(tmp_path)
    fitted(BoringTask(), max_epochs=1, log_every_n_steps=1, logger=logger)
    assert not KeptLogger.send(logger.log_dir)
    tracker.is_away = False
    assert KeptLogger.send(logger.log_dir)
    assert [step for step, _ in tracker.column("train/loss")] == [1, 2, 3, 4]
    assert tracker.ends == ["success"]
    with pytest.raises(ConfigurationError, match="give a run's folder"):
        KeptLogger.send(tmp_path)


def test_a_checkpoint_cannot_name_a_folder_elsewhere(tmp_path):
    with pytest.raises(ValueError, match="is no id of a run"):
        KeptLogger(tmp_path).continue_run("../../elsewhere")


def test_the_folders_of_all_runs_are_found(tmp_path, tracker):
    loggers = [KeptLogger(tmp_path), KeptLogger(tmp_path)]
    for logger in loggers:
        trainer = fitted(BoringTask(), max_steps=1, log_every_n_steps=1, logger=logger)
    assert loggers[0].run_folders(trainer) == sorted(logger.log_dir for logger in loggers)


@pytest.mark.parametrize("logger", [MLflowLogger, TrackioLogger], ids=["mlflow", "trackio"])
def test_without_its_package_the_error_names_the_extra(monkeypatch, logger):
    monkeypatch.setitem(sys.modules, logger.package, None)
    words = rf"{logger.__name__} needs .*pip install 'lightning-tf\[{logger.package}\]'"
    with pytest.raises(ConfigurationError, match=words):
        logger()
