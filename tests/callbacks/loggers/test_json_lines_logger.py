import json
import math
import os
from pathlib import Path

import numpy as np
import pandas
import pytest
from helpers.boring import BoringTask, quiet
from matplotlib.figure import Figure
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, JSONLinesLogger
from lightning_tf.callbacks.loggers.curves import read_curves
from lightning_tf.exceptions import ConfigurationError


class Sends(Callback):
    """Gives the loggers one of everything."""

    def on_train_end(self, trainer, task):
        trainer.log_images("samples/first", np.zeros((2, 8, 8, 1)), captions=["a", "b"])
        trainer.log_table("confusion", ["truth", "predicted"], [[np.int64(3), 0.5], ["7", None]])
        figure = Figure()
        figure.add_subplot().plot([1, 2])
        trainer.log_figure("plot", figure)
        trainer.log_text("remark", "a < b,\n\n# ü")
        trainer.log_file("data", "somewhere/data.bin")
        trainer.log_row({"bad": math.nan, "worse": -math.inf})


def trained(tmp_path, logger=None, **arguments):
    defaults = {"max_epochs": 2, "log_every_n_steps": 2, "default_root_dir": tmp_path}
    logger = logger or JSONLinesLogger()
    trainer = Trainer(**quiet(**{**defaults, **arguments}, logger=logger))
    trainer.fit(BoringTask())
    return trainer


def lines_of(trainer, kind=None):
    with open(os.path.join(trainer.log_dir, "log.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line, parse_constant=pytest.fail) for line in file]
    return [line for line in lines if kind in (None, line["kind"])]


def test_every_row_is_a_line_and_the_run_begins_and_ends_with_one(tmp_path):
    trainer = trained(tmp_path)
    kinds = [line["kind"] for line in lines_of(trainer)]
    assert (kinds[0], kinds[-1]) == ("hparams", "end")
    rows = lines_of(trainer, "metrics")
    assert [row["step"] for row in rows if "train/loss" in row] == [2, 4, 6, 8]
    assert [row["epoch"] for row in rows if "val/loss" in row] == [0, 1]
    assert rows[-2]["val/loss"] == trainer.callback_metrics["val_loss"]
    assert lines_of(trainer, "hparams")[0]["hparams"]["trainer"]["max_epochs"] == 2
    assert lines_of(trainer, "end")[0]["status"] == "success"
    table = pandas.read_json(os.path.join(trainer.log_dir, "log.jsonl"), lines=True)
    assert table["train/loss"].count() == 4


def test_images_tables_figures_and_files_have_their_lines(tmp_path):
    trainer = trained(tmp_path, callbacks=[Sends()])
    images, figure = lines_of(trainer, "images")[0], lines_of(trainer, "figure")[0]
    assert (images["name"], images["captions"], images["step"]) == ("samples/first", ["a", "b"], 8)
    for line in (images, figure):
        with Image.open(os.path.join(trainer.log_dir, line["path"])) as image:
            assert min(image.size) > 90
    table = lines_of(trainer, "table")[0]
    assert (table["columns"], table["rows"]) == (["truth", "predicted"], [[3, 0.5], ["7", None]])
    assert lines_of(trainer, "text")[0]["text"] == "a < b,\n\n# ü"
    assert lines_of(trainer, "file")[0]["path"].endswith(os.path.join("somewhere", "data.bin"))
    bad = lines_of(trainer, "metrics")[-1]
    assert math.isnan(float(bad["train/bad"]))
    assert float(bad["train/worse"]) == -math.inf


def test_a_resumed_run_goes_on_in_its_file_and_moves_what_it_does_again(tmp_path):
    class Saves(Callback):
        every_n_steps = 4

        def on_train_window_end(self, trainer, task):
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "part")

    whole = trained(tmp_path, callbacks=[Saves()])
    before = [row["step"] for row in lines_of(whole, "metrics") if row["step"] > 4]
    path = os.path.join(whole.log_dir, "log.jsonl")
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind": "metr')  # killed while it wrote
    again = Trainer(
        **quiet(
            max_epochs=2, log_every_n_steps=2, default_root_dir=tmp_path, logger=JSONLinesLogger()
        )
    )
    again.fit(BoringTask(), ckpt_path=tmp_path / "part")
    assert again.log_dir == whole.log_dir
    rows = lines_of(again, "metrics")
    # The checkpoint of update 4 was written before the validation that follows it.
    assert [row["step"] for row in rows] == [2, 4, 4, 4, 6, 8, 8, 8]
    for name in ("val/loss", "train/loss_epoch"):
        assert [row["step"] for row in rows if name in row] == [4, 8]
    with open(os.path.join(again.log_dir, "superseded.jsonl"), encoding="utf-8") as file:
        moved = [json.loads(line) for line in file]
    assert [line["step"] for line in moved if "step" in line] == [4, 4, *before]
    assert [line["kind"] for line in lines_of(again)].count("end") == 1


def test_a_checkpoint_of_a_run_without_it_moves_lines_by_their_step(tmp_path):
    arguments = {"max_epochs": 2, "log_every_n_steps": 2, "default_root_dir": tmp_path}
    other = Trainer(**quiet(**{**arguments, "max_steps": 4}))
    other.fit(BoringTask())
    other.save_checkpoint(tmp_path / "part")
    whole = trained(tmp_path)
    again = Trainer(**quiet(**arguments, logger=JSONLinesLogger(resume=True)))
    again.fit(BoringTask(), ckpt_path=tmp_path / "part")
    assert again.log_dir == whole.log_dir
    assert [r["step"] for r in lines_of(again, "metrics") if "train/loss" in r] == [2, 4, 6, 8]


def test_rows_wait_in_memory_for_so_many_updates(tmp_path):
    class Looks(Callback):
        every_n_steps = 1
        counts = ()

        def on_train_window_end(self, trainer, task):
            self.counts += (len(lines_of(trainer, "metrics")),)

    looks = Looks()
    trained(
        tmp_path,
        JSONLinesLogger(flush_every_n_steps=3),
        callbacks=[looks],
        max_epochs=2,
        log_every_n_steps=1,
        limit_val_batches=0,
    )
    # Rows of updates 1, 2, 3; at the end of the first epoch, its row and that of 4 wait for 6.
    assert looks.counts == (0, 0, 3, 3, 3, 7, 7, 7)


def test_an_evaluation_that_logs_rows_writes_them_and_a_prediction_leaves_nothing(tmp_path):
    trainer = Trainer(**quiet(default_root_dir=tmp_path, logger=JSONLinesLogger()))
    task = BoringTask()
    trainer.predict(task, collect=True)
    assert os.listdir(tmp_path) == []
    trainer.test(task)
    assert [line["kind"] for line in lines_of(trainer)] == ["hparams", "metrics", "end"]


def test_a_failed_run_says_so(tmp_path):
    class Fails(Callback):
        def on_train_epoch_end(self, trainer, task):
            raise RuntimeError("on purpose")

    logger = JSONLinesLogger()
    with pytest.raises(RuntimeError, match="on purpose"):
        trained(tmp_path, logger, callbacks=[Fails()])
    with open(os.path.join(logger.log_dir, "log.jsonl"), encoding="utf-8") as file:
        assert json.loads(file.readlines()[-1])["status"] == "failed"


def test_a_bad_argument_is_refused():
    with pytest.raises(ConfigurationError, match="flush_every_n_steps is 0"):
        JSONLinesLogger(flush_every_n_steps=0)


def test_the_curves_are_those_of_the_table(tmp_path):
    trainer = trained(
        tmp_path, [JSONLinesLogger(tmp_path / "a"), CSVLogger(tmp_path / "b", curves=False)]
    )
    (lines,), (table,) = tmp_path.glob("a/*/log.jsonl"), tmp_path.glob("b/*/metrics.csv")
    actual, expected = read_curves(lines), read_curves(table)
    assert set(actual) == set(expected) >= {"loss"}
    for name, curves in expected.items():
        for kind, (steps, values) in curves.items():
            assert actual[name][kind][0] == steps
            assert actual[name][kind][1] == pytest.approx(values)
    assert (lines.parent / "curves.png").exists()
    assert not list(tmp_path.glob("b/*/curves.png"))
    quiet_one = trained(tmp_path, JSONLinesLogger(tmp_path / "c", curves=False))
    assert "curves.png" not in os.listdir(quiet_one.log_dir)
    bad = trained(tmp_path, callbacks=[Sends()])  # NaN and infinity are strings there
    assert np.isnan(read_curves(Path(bad.log_dir, "log.jsonl"))["bad"]["train"][1]).all()
    assert trainer.global_step == 8
