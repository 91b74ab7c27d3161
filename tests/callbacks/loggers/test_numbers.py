"""Numbers of every type are the same numbers in every logger."""

import io
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import keras
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, quiet
from helpers.kept_run import KeptLogger, KeptRun, Tracker
from helpers.wandb_log import logged_runs

from lightning_tf import Trainer
from lightning_tf.callbacks import (
    ConsoleLogger,
    CSVLogger,
    JSONLinesLogger,
    TensorBoardLogger,
    WandbLogger,
)
from lightning_tf.callbacks.wandb.journal import WandbJournal
from lightning_tf.exceptions import ConfigurationError

pytestmark = pytest.mark.usefixtures("sealed")

NUMBERS = {
    "float16": (np.float16(0.5), 0.5),
    "bfloat16": (ml_dtypes.bfloat16(0.5), 0.5),
    "float8": (ml_dtypes.float8_e4m3fn(0.5), 0.5),
    "float64": (np.float64(0.25), 0.25),
    "int8": (np.int8(-3), -3),
    "int64": (np.int64(2**40), 2**40),
    "0-d": (np.array(1.5), 1.5),
    "0-d integer": (np.array(3), 3),
    "Decimal": (Decimal("0.25"), 0.25),
    "Fraction": (Fraction(1, 4), 0.25),
    "numpy bool": (np.True_, 1),
    "bool": (False, 0),
    "tensor": (tf.constant(2.0), 2.0),
    "bfloat16 tensor": (tf.constant(2.0, tf.bfloat16), 2.0),
    "bool tensor": (tf.constant(True), 1),
    "integer tensor": (tf.constant(7, tf.int64), 7),
    "variable": (tf.Variable(3.0), 3.0),
    "keras variable": (keras.Variable(4.0), 4.0),
    "nan": (np.float32("nan"), float("nan")),
    "inf": (float("inf"), float("inf")),
    "-inf": (tf.constant(float("-inf")), float("-inf")),
}


class Logs(BoringTask):
    def on_fit_end(self):
        row = {f"val/{name}": given for name, (given, _) in NUMBERS.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics({**row, "epoch": 0}, self.trainer.global_step)


def of_csv(logger):
    table = pd.read_csv(Path(logger.log_dir, "metrics.csv"))
    return table.iloc[-1].to_dict()


def of_json_lines(logger):
    lines = Path(logger.log_dir, "log.jsonl").read_text().splitlines()
    (row,) = [json.loads(line) for line in lines if "val/int8" in line]
    return row.get("metrics", row)


def of_tensor_board(logger):
    values = {}
    for path in Path(logger.log_dir, "tensorboard").glob("*tfevents*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            for value in tf.compat.v1.Event.FromString(record).summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    values[value.tag] = float(tf.make_ndarray(value.tensor))
    return values


def of_console(logger):
    (line,) = [line for line in logger.file.getvalue().splitlines() if "val/int8" in line]
    return dict(part.rsplit(" ", 1) for part in line.split("  "))


def of_wandb(logger):
    (run,) = logged_runs(logger.dir)
    (row,) = [row for row in run.history if "val/int8" in row]
    journal = WandbJournal(Path(logger.log_dir)).read_rows()
    (kept,) = [each.values for each in journal if "val/int8" in each.values]
    np.testing.assert_equal({name: float(row[name]) for name in kept}, kept)
    return row


def of_tracker(logger):
    return {name: value for (_, _, name), value in KeptRun.tracker.rows.items()}


LOGGERS = {
    "csv": (lambda folder: CSVLogger(folder), of_csv),
    "json lines": (lambda folder: JSONLinesLogger(folder), of_json_lines),
    "tensor board": (lambda folder: TensorBoardLogger(folder), of_tensor_board),
    "console": (lambda folder: ConsoleLogger(file=io.StringIO()), of_console),
    "wandb": (lambda folder: WandbLogger("p", dir=folder, mode="offline"), of_wandb),
    "trackers": (lambda folder: KeptLogger(folder), of_tracker),
}


@pytest.mark.parametrize("kind", LOGGERS)
def test_numbers_of_every_type_are_numbers_in_every_logger(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(KeptRun, "tracker", Tracker())
    make, read = LOGGERS[kind]
    logger = make(tmp_path)
    Trainer(**quiet(max_epochs=1, logger=logger, default_root_dir=tmp_path)).fit(Logs())
    row = read(logger)
    found = {name: float(row[f"val/{name}"]) for name in NUMBERS}
    expected = {name: float(number) for name, (_, number) in NUMBERS.items()}
    if kind == "console":  # for people: some digits
        np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-3)
    else:
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize("kind", LOGGERS)
@pytest.mark.parametrize(
    "bad",
    [None, "0.5", b"1", [], [1.0], {"a": 1}, np.zeros(2), np.datetime64("now"), 1j, tf.zeros(3)],
    ids=["None", "text", "bytes", "empty", "list", "dict", "array", "date", "complex", "tensor"],
)
def test_what_is_no_number_is_refused_by_its_name_in_every_logger(tmp_path, kind, bad):
    with pytest.raises(ConfigurationError, match=r"log\('val/bad'\) got"):
        LOGGERS[kind][0](tmp_path).log_metrics({"val/bad": bad}, 1)
