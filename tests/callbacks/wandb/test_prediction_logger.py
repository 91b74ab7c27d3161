"""Predictions of every epoch refer to one table of data, which is sent once."""

import base64
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from helpers.boring import BoringTask, fitted, quiet
from helpers.wandb_log import logged_runs

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import WandbLogger
from lightning_tf.exceptions import ConfigurationError, DataError

pytestmark = pytest.mark.usefixtures("sealed")

IMAGES = np.arange(3 * 4 * 4 * 1, dtype="uint8").reshape(3, 4, 4, 1)
ROWS = [[image, f"text {i}", i] for i, image in enumerate(IMAGES)]


class Predicts(Callback):
    """Logs what an imaginary network says of three images after every epoch."""

    def on_fit_start(self, trainer, task):
        trainer.logger.log_data_table("few/digits", ["image", "text", "label"], ROWS)

    def on_train_epoch_end(self, trainer, task):
        rows = [[np.float32(epoch := trainer.current_epoch), epoch == i] for i in range(3)]
        step = trainer.global_step
        trainer.logger.log_predictions(
            "val/predictions", ["score", "right"], rows, step, data="few/digits"
        )

    def on_test_end(self, trainer, task):
        trainer.logger.log_predictions(
            "test/predictions", ["score"], [[0.5]], trainer.global_step, "few/digits", [2]
        )


def table_in(content):
    table = json.loads(content)
    types = table["column_types"]["params"]["type_map"]
    return table["columns"], table["data"], types.get("data")


@pytest.mark.distributed
def test_the_server_gets_the_data_once_and_a_small_table_of_each_epoch(server, tmp_path):
    logger = WandbLogger("digits", dir=tmp_path, settings=server.settings())
    trainer = Trainer(**quiet(max_epochs=3, logger=logger, callbacks=[Predicts()]))
    task = BoringTask()
    trainer.fit(task)
    trainer.test(task)  # a new connection: W&B knows the data by their content

    data = [a for a in server.answers.artifacts.values() if a["type"] == "dataset"]
    assert [(a["name"], a["state"], a["version"]) for a in data] == [("few-digits", "COMMITTED", 0)]
    stored = [name for name in server.blobs if name.startswith(f"artifact/{data[0]['id']}/")]
    assert sum(name.endswith(".png") for name in stored) == 3
    columns, rows, _ = table_in(server.blob(data[0], "few-digits.table.json"))
    assert columns == ["image", "text", "label"]
    assert [row[1:] for row in rows] == [["text 0", 0], ["text 1", 1], ["text 2", 2]]
    assert sum(name.endswith(".png") for name in server.blobs) == 3  # in all there is

    column = server.run(logger.run_id).column("val/predictions")
    assert [(step, table["nrows"], table["ncols"]) for step, table in column] == [
        (4, 3, 3), (8, 3, 3), (12, 3, 3),
    ]  # fmt: skip

    def tables(kind):
        artifacts = server.answers.artifacts.values()  # W&B puts a hash behind a name with a slash
        return [a for a in artifacts if a["name"].startswith(f"run-{logger.run_id}-{kind}")]

    for epoch, artifact in enumerate(tables("valpredictions")):
        assert artifact["version"] == epoch
        assert len(artifact["files"]) == 1
        columns, rows, kind = table_in(server.blob(artifact, "val/predictions.table.json"))
        assert columns == ["data", "score", "right"]
        assert rows == [[i, epoch, epoch == i] for i in range(3)]
        assert kind["wb_type"] == "foreignIndex"
        manifest = json.loads(server.blobs[f"manifest/{artifact['id']}"])["contents"]
        reference = manifest[kind["params"]["table"]]["ref"]
        number = base64.b64decode(data[0]["id"]).hex()
        assert reference == f"wandb-artifact://{number}/few-digits.table.json"
    assert len(tables("valpredictions")) == 3
    (artifact,) = tables("testpredictions")
    assert table_in(server.blob(artifact, "test/predictions.table.json"))[1] == [[2, 0.5]]


def test_offline_the_data_are_in_the_log_once(tmp_path):
    logger = WandbLogger("digits", dir=tmp_path, offline=True)
    fitted(BoringTask(), max_epochs=3, logger=logger, callbacks=[Predicts()])
    (run,) = logged_runs(tmp_path)
    kinds = [artifact["type"] for artifact in run.artifacts]
    assert kinds == ["dataset", *["run_table"] * 3]
    files = [name for artifact in run.artifacts for name in artifact["files"]]
    assert sum(name.endswith(".png") for name in files) == 3
    for epoch, artifact in enumerate(run.artifacts[1:]):
        path = Path(artifact["files"]["val/predictions.table.json"])
        columns, rows, _ = table_in(path.read_text())
        assert columns == ["data", "score", "right"]
        assert rows == [[i, epoch, epoch == i] for i in range(3)]
    assert [step for step, _ in run.column("val/predictions")] == [4, 8, 12]


@pytest.mark.distributed
def test_a_server_that_is_away_gets_the_data_with_the_next_epoch(server, tmp_path, caplog):
    class Away(Predicts):
        def on_train_epoch_end(self, trainer, task):
            if trainer.current_epoch == 0:
                assert trainer.logger.experiment is not None
                server.stop()
            super().on_train_epoch_end(trainer, task)
            trainer.logger.connect().flush()
            if trainer.current_epoch == 0:
                server.start()

    settings = server.settings()
    logger = WandbLogger("digits", dir=tmp_path, settings=settings, finish_timeout=20.0)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(BoringTask(), max_epochs=3, logger=logger, callbacks=[Away()])
    (told,) = [r.getMessage() for r in caplog.records if r.levelno >= 30]
    assert "(val/predictions) failed" in told
    run = server.run(logger.run_id)
    assert [step for step, _ in run.column("val/predictions")] == [8, 12]
    assert [step for step, _ in run.column("train/loss_epoch")] == [4, 8, 12]
    assert server.answers.artifact("few-digits")["state"] == "COMMITTED"


def test_a_disabled_logger_takes_predictions_and_opens_nothing(tmp_path):
    logger = WandbLogger("digits", dir=tmp_path, mode="disabled")
    fitted(BoringTask(), max_epochs=1, logger=logger, callbacks=[Predicts()])
    assert not list(tmp_path.glob("wandb*"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"data": "few"}, ConfigurationError, "data='few'.*Known: digits"),
        pytest.param(
            {"columns": ["data"]},
            ConfigurationError,
            "'data' is the column that refers",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"rows": [[1]]}, DataError, "1 rows for 3 indices of 'digits'", marks=pytest.mark.slow
        ),
        ({"indices": [0, 1, 3]}, DataError, "rows 0 to 2"),
        pytest.param({"indices": [0, 1, -1]}, DataError, "rows 0 to 2", marks=pytest.mark.slow),
        ({"rows": [[1], [2, 3], [4]]}, DataError, "row 1 has 2 cells for 1 columns"),
    ],
    ids=["no data", "a column", "rows", "too far", "negative", "cells"],
)
def test_predictions_that_fit_no_data_are_refused_where_they_are_logged(
    tmp_path, arguments, error, words
):
    class Wrong(BoringTask):
        def on_fit_end(self):
            logger = self.trainer.logger
            logger.log_data_table("digits", ["image", "text", "label"], ROWS)
            right = {"columns": ["class"], "rows": [[1], [2], [3]], "data": "digits"}
            logger.log_predictions("val/predictions", step=4, **{**right, **arguments})

    with pytest.raises(error, match=words):
        fitted(Wrong(), max_epochs=1, logger=WandbLogger("digits", dir=tmp_path, offline=True))


@pytest.mark.parametrize("rows", [[], [["a"], ["b", 1]]], ids=["none", "cells"])
def test_data_without_rows_or_cells_are_refused(rows):
    with pytest.raises(DataError, match=r"no row|row 0 has 1 cells for 2 columns"):
        WandbLogger("digits").log_data_table("digits", ["text", "label"], rows)
