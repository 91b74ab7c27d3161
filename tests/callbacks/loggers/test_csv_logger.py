import json
import logging
import os
from pathlib import Path

import numpy as np
import pandas
import pytest
from helpers.boring import BoringTask, fitted, quiet
from matplotlib.figure import Figure

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, JSONLinesLogger
from lightning_tf.exceptions import ConfigurationError


class Fails(Callback):
    """Raises at a step."""

    def __init__(self, step):
        self.every_n_steps = step

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            raise RuntimeError("on purpose")


class Looks(Callback):
    """Counts at every step the rows that are on the disk."""

    every_n_steps = 1

    def __init__(self):
        self.rows = {}

    def on_train_window_end(self, trainer, task):
        path = os.path.join(trainer.log_dir, "metrics.csv")
        if os.path.exists(path):
            self.rows[trainer.global_step] = len(pandas.read_csv(path))


class Sends(Callback):
    """Gives the loggers one of everything."""

    def on_train_end(self, trainer, task):
        trainer.log_images("samples/first", np.zeros((2, 8, 8, 1)), captions=["a", "b"])
        trainer.log_table("confusion", ["truth", "predicted"], [[3, 5], [7, "1,0"]])
        figure = Figure()
        figure.add_subplot().plot([1, 2])
        trainer.log_figure("plot", figure)
        trainer.log_text("remark", "a < b,\n\n# ü")
        trainer.log_file("data", "somewhere/data.bin")


def trained(tmp_path, logger, task=None, **arguments):
    defaults = {"max_epochs": 2, "log_every_n_steps": 2, "default_root_dir": tmp_path}
    trainer = Trainer(**quiet(**{**defaults, **arguments}, logger=logger))
    trainer.fit(task or BoringTask())
    return trainer


def table_of(folder):
    return pandas.read_csv(os.path.join(folder, "metrics.csv"))


def test_a_run_has_its_folder(tmp_path):
    trainer = trained(tmp_path, CSVLogger())
    assert trainer.log_dir == str(tmp_path / "runs" / "version_0")
    expected = ["calls.jsonl", "curves.png", "hparams.json", "metrics.csv"]
    assert sorted(os.listdir(trainer.log_dir)) == expected


def test_rows_of_a_step_are_one_row_with_all_its_columns(tmp_path):
    trainer = trained(tmp_path, CSVLogger())
    trainer.test(trainer.task)
    table = table_of(trainer.log_dir)
    assert table["step"].tolist() == [2, 4, 6, 8]
    assert table["epoch"].tolist() == [0, 0, 1, 1]
    assert table["val/loss"].isna().tolist() == [True, False, True, False]
    assert table["train/loss_epoch"].isna().tolist() == [True, False, True, False]
    assert table["train/loss"].notna().all()
    last = table.iloc[-1]
    assert last["test/loss"] == trainer.callback_metrics["test_loss"]
    assert last["val/accuracy"] == trainer.callback_metrics["val_accuracy"]


def test_hyperparameters_and_settings_are_written(tmp_path):
    class Named(BoringTask):
        def __init__(self, units=3, note="é"):
            super().__init__()

    trainer = trained(tmp_path, CSVLogger(), Named(units=5))
    with open(os.path.join(trainer.log_dir, "hparams.json")) as file:
        hparams = json.load(file)
    assert (hparams["units"], hparams["note"]) == (5, "é")
    assert hparams["trainer"]["max_epochs"] == 2


def test_root_name_and_version_make_the_path(tmp_path):
    trained(tmp_path, logger := CSVLogger(tmp_path / "all", name="digits", version=7), max_epochs=1)
    assert logger.log_dir == str(tmp_path / "all" / "digits" / "version_7")
    assert logger.name == "digits"
    trained(tmp_path, logger := CSVLogger(tmp_path / "all", version="best"), max_epochs=1)
    assert logger.log_dir == str(tmp_path / "all" / "best")
    assert logger.name == "CSVLogger"


def test_each_run_gets_the_next_version(tmp_path):
    (tmp_path / "runs" / "version_9").mkdir(parents=True)
    (tmp_path / "runs" / "version_x").mkdir()
    logger = CSVLogger()
    trained(tmp_path, logger, max_epochs=1)
    assert logger.log_dir.endswith("version_10")
    trained(tmp_path, CSVLogger(), max_epochs=1)
    trained(tmp_path, logger, max_epochs=1)  # another task, with a logger that has one already
    assert logger.log_dir.endswith("version_12")
    assert table_of(logger.log_dir)["step"].tolist() == [2, 4]


def test_the_same_task_goes_on_in_the_same_folder(tmp_path):
    trainer = trained(tmp_path, CSVLogger(), max_epochs=1)
    first = trainer.log_dir
    trainer.max_epochs = 2
    trainer.fit(trainer.task)
    trainer.validate(trainer.task)
    assert trainer.log_dir == first
    assert table_of(first)["step"].tolist() == [2, 4, 6, 8]


def test_a_version_that_holds_a_run_is_not_touched(tmp_path):
    first = trained(tmp_path, CSVLogger(version="a"), max_epochs=1)
    before = table_of(first.log_dir)
    with pytest.raises(ConfigurationError, match="resume=True"):
        trained(tmp_path, CSVLogger(version="a"), max_epochs=1)
    pandas.testing.assert_frame_equal(table_of(first.log_dir), before)


def test_a_resumed_run_goes_on_and_measures_later_steps_again(tmp_path):
    trainer = trained(tmp_path, CSVLogger(), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    trainer.max_epochs = 3
    trainer.fit(trainer.task)
    whole = table_of(trainer.log_dir)
    again = Trainer(
        **quiet(max_epochs=3, default_root_dir=tmp_path, logger=CSVLogger()), log_every_n_steps=2
    )
    again.fit(BoringTask(), ckpt_path=tmp_path / "a.ckpt")
    assert again.log_dir == trainer.log_dir
    pandas.testing.assert_frame_equal(table_of(again.log_dir), whole)
    superseded = pandas.read_csv(os.path.join(trainer.log_dir, "superseded.csv"))
    assert superseded["step"].tolist() == [6, 8, 10, 12]


@pytest.mark.slow
def test_a_run_resumed_elsewhere_or_under_another_name_gets_a_folder_of_its_own(tmp_path):
    trainer = trained(tmp_path / "here", CSVLogger(), max_epochs=1)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    before = table_of(trainer.log_dir)
    for root, logger in (("there", CSVLogger()), ("here", CSVLogger(version="b"))):
        again = Trainer(**quiet(max_epochs=2, default_root_dir=tmp_path / root, logger=logger))
        again.fit(BoringTask(), ckpt_path=tmp_path / "a.ckpt")
        assert again.log_dir != trainer.log_dir
        assert table_of(again.log_dir)["step"].tolist() == [8]
    pandas.testing.assert_frame_equal(table_of(trainer.log_dir), before)


def test_rows_reach_the_disk_at_the_interval(tmp_path):
    looks = Looks()
    logger = CSVLogger(flush_every_n_steps=3)
    arguments = {"log_every_n_steps": 1, "limit_val_batches": 0, "callbacks": [looks]}
    trained(tmp_path, logger, **arguments)
    assert looks.rows == {3: 3, 4: 3, 5: 3, 6: 6, 7: 6, 8: 6}


def test_rows_reach_the_disk_at_validation(tmp_path):
    looks = Looks()
    logger = CSVLogger(flush_every_n_steps=1000)
    trained(tmp_path, logger, log_every_n_steps=1, callbacks=[looks])
    assert looks.rows == {5: 4, 6: 4, 7: 4, 8: 4}


def test_a_failed_run_keeps_its_rows(tmp_path):
    logger = CSVLogger(flush_every_n_steps=1000)
    with pytest.raises(RuntimeError, match="on purpose"):
        trained(tmp_path, logger, log_every_n_steps=1, callbacks=[Fails(3)])
    assert table_of(logger.log_dir)["step"].tolist() == [1, 2, 3]


def test_a_run_that_fails_before_its_first_row_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError, match="on purpose"):
        trained(tmp_path, CSVLogger(), callbacks=[Fails(1)])
    assert os.listdir(tmp_path / "runs") == []


def test_a_trainer_that_never_runs_and_a_prediction_write_nothing(tmp_path):
    trainer = Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path, logger=CSVLogger()))
    trainer.predict(BoringTask(), collect=True)
    assert os.listdir(tmp_path) == []


def test_images_tables_figures_and_files_are_written(tmp_path):
    trainer = trained(tmp_path, CSVLogger(), callbacks=[Sends()])
    folder = trainer.log_dir
    assert os.listdir(os.path.join(folder, "images")) == ["samples_first_00000008.png"]
    assert os.listdir(os.path.join(folder, "figures")) == ["plot_00000008.png"]
    with open(os.path.join(folder, "tables", "confusion_00000008.csv"), newline="") as file:
        assert file.read() == 'truth,predicted\r\n3,5\r\n7,"1,0"\r\n'
    text = Path(folder, "texts", "remark_00000008.txt").read_text("utf-8")
    assert text == "a < b,\n\n# ü"
    files = pandas.read_csv(os.path.join(folder, "files.csv"))
    assert files.values.tolist() == [["data", 8, os.path.abspath("somewhere/data.bin")]]


def test_curves_can_be_left_out(tmp_path):
    trainer = trained(tmp_path, CSVLogger(curves=False), max_epochs=1)
    assert "curves.png" not in os.listdir(trainer.log_dir)


def test_two_loggers_that_start_together_do_not_share_a_folder(tmp_path):
    first, second = CSVLogger(), CSVLogger()
    trainer = Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path, logger=[first, second]))
    trainer.fit(BoringTask())
    assert first.log_dir.endswith("version_0")
    assert second.log_dir.endswith("version_1")
    assert len(table_of(second.log_dir)) == len(table_of(first.log_dir))


def test_a_folder_that_cannot_be_made_is_warned_about_and_ends_no_run(tmp_path, caplog):
    (tmp_path / "runs").write_text("a file in the way")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = trained(tmp_path, CSVLogger())
    assert trainer.global_step == 8
    warnings = [record.message for record in caplog.records if "CSVLogger" in record.message]
    assert warnings
    assert len({text.partition(" failed")[0] for text in warnings}) == len(warnings)  # each once


def test_an_interval_below_one_is_refused():
    with pytest.raises(ConfigurationError, match="flush_every_n_steps is 0"):
        CSVLogger(flush_every_n_steps=0)


def test_names_that_look_alike_and_one_name_twice_are_files_of_their_own(tmp_path):
    class Shows(BoringTask):
        def on_fit_end(self):
            for name in ("a/b", "a_b", "a b", "a/b"):
                self.trainer.log_table(name, ["name"], [[name]])

    logger = CSVLogger(tmp_path)
    fitted(Shows(), max_epochs=1, logger=[logger, JSONLinesLogger(tmp_path)])
    files = sorted(Path(logger.log_dir, "tables").iterdir())
    assert [f.read_text().split()[1:] for f in files].count(["a/b"]) == 2
    assert len(files) == 4
