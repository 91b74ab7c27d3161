"""Runs in a real MLflow with an SQLite file; a server that hangs."""

import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import killed_run
from helpers.boring import BoringTask, quiet
from helpers.killed_mlflow_run import logger as logger_of_killed
from helpers.paths import SEARCHED, TESTS

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import MLflowLogger, ModelCheckpoint
from lightning_tf.callbacks.loggers.outbox import Outbox
from lightning_tf.exceptions import ConfigurationError

# What MLflow, SQLAlchemy and their like warn about themselves, in the thread.
pytestmark = pytest.mark.filterwarnings("ignore")


def needs_mlflow(test):
    reason = "pip install 'lightning-tf[mlflow]'"
    missing = find_spec("mlflow") is None
    return pytest.mark.slow(pytest.mark.skipif(missing, reason=reason)(test))


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """An MLflow file without a run: MLflow takes seconds to make one."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def folder(empty_database, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def client(folder):
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def run_of(folder, logger):
    return client(folder).get_run(logger.mlflow_run_id)


def history(folder, logger, name):
    """Return pairs of step and value."""
    metrics = client(folder).get_metric_history(logger.mlflow_run_id, name)
    return sorted((metric.step, metric.value) for metric in metrics)


def artifacts(folder, logger, path=""):
    found = []
    for file in client(folder).list_artifacts(logger.mlflow_run_id, path):
        found += artifacts(folder, logger, file.path) if file.is_dir else [file.path]
    return found


def fit(folder, logger, *callbacks, task=None, **arguments):
    options = {"max_epochs": 2, "log_every_n_steps": 1, "seed": 0, **arguments}
    trainer = Trainer(
        **quiet(logger=logger, callbacks=list(callbacks), default_root_dir=str(folder), **options)
    )
    trainer.fit(task or BoringTask())
    return trainer


class Shows(Callback):
    def on_fit_end(self, trainer, task):
        trainer.log_images("val/pictures", np.zeros((2, 8, 8, 3), "uint8"), ["a", "b"])
        trainer.log_table("cells", ["a", "b"], [[1, "x"], [np.float32(2.5), np.zeros((8, 8, 3))]])
        figure = plt.figure()
        trainer.log_figure("drawing", figure)
        plt.close(figure)
        trainer.log_file("program", __file__)
        trainer.logger.log_text("remark", "fine", trainer.global_step)


@needs_mlflow
def test_a_run_has_its_rows_params_tags_and_artifacts(folder):
    logger = MLflowLogger("digits", "first", tags={"kind": "baseline"}, log_model="best")
    best = ModelCheckpoint(monitor="val_loss")
    trainer = fit(folder, logger, best, Shows(), enable_checkpointing=True)
    assert logger.log_dir == str(folder / "mlflow_runs" / "digits" / logger.run_id)

    run = run_of(folder, logger)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert [step for step, _ in history(folder, logger, "train/loss")] == list(range(1, 9))
    assert history(folder, logger, "val/loss")[-1] == (8, trainer.callback_metrics["val_loss"])
    assert run.data.params["trainer/max_epochs"] == "2"
    assert run.data.tags["kind"] == "baseline"
    assert float(run.data.tags["best/val/loss"]) == best.best_model_score
    assert run.data.tags["best/val/loss_step"] == "8"

    names = artifacts(folder, logger)
    checkpoint = run.data.tags["checkpoint/best"]
    assert {f"{checkpoint}/run.json", f"{checkpoint}/state.safetensors"} <= set(names)
    rest = [name for name in names if not name.startswith(("checkpoints/", "images/"))]
    assert rest == [
        "figures/drawing_00000008.png",
        "files/program/test_mlflow_logger.py",
        "tables/cells_00000008.csv",
        "texts/remark_00000008.txt",
    ]
    assert any(name.startswith("images/val~pictures+step+8+") for name in names)
    table = next((folder / "mlartifacts").glob(f"*/*/{rest[2]}"))
    assert table.read_text() == 'a,b\n1,x\n2.5,"array of shape (8, 8, 3)"\n'


@needs_mlflow
def test_a_later_entry_point_goes_on_in_the_run_and_another_task_has_its_own(folder):
    logger, task = MLflowLogger("digits"), BoringTask()
    trainer = fit(folder, logger, task=task)
    first = logger.mlflow_run_id
    trainer.test(task)
    assert logger.mlflow_run_id == first
    assert [step for step, _ in history(folder, logger, "test/loss")] == [8]
    trainer.validate(BoringTask())
    assert logger.mlflow_run_id != first
    assert [step for step, _ in history(folder, logger, "val/loss")] == [0]


@needs_mlflow
def test_a_run_that_fails_or_is_interrupted_says_so(folder):
    class Raises(Callback):
        def __init__(self, error):
            self.error = error

        def on_train_epoch_end(self, trainer, task):
            raise self.error

    for error, status in ((ValueError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")):
        logger = MLflowLogger("digits")
        with pytest.raises(type(error)):
            fit(folder, logger, Raises(error))
        assert run_of(folder, logger).info.status == status
        assert [step for step, _ in history(folder, logger, "train/loss")] == [1, 2, 3, 4]


@needs_mlflow
def test_a_killed_run_that_is_resumed_has_every_row_once(folder):
    program = [sys.executable, str(TESTS / "helpers" / "killed_mlflow_run.py"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": SEARCHED}
    killed = subprocess.run(program, env=environment, capture_output=True, timeout=300, check=False)
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]

    logger = logger_of_killed(folder)
    trainer = Trainer(**killed_run.arguments(str(folder), logger))
    trainer.fit(killed_run.task(), ckpt_path="last")
    runs = client(folder).search_runs(
        [client(folder).get_experiment_by_name("killed").experiment_id]
    )
    assert [run.info.status for run in runs] == ["FINISHED"]
    steps = [step for step, _ in history(folder, logger, "train/loss")]
    assert steps == list(range(1, killed_run.EPOCHS * killed_run.BATCHES + 1))
    assert [step for step, _ in history(folder, logger, "val/loss")] == [6, 12, 18]


@needs_mlflow
def test_on_another_machine_the_run_is_found_by_its_tag(folder):
    logger = MLflowLogger("digits")
    trainer = fit(folder, logger)
    trainer.save_checkpoint(folder / "saved")
    shutil.rmtree(folder / "mlflow_runs")

    again = MLflowLogger("digits")
    options = {"max_epochs": 3, "log_every_n_steps": 1, "seed": 0}
    resumed = Trainer(**quiet(logger=again, default_root_dir=str(folder), **options))
    resumed.fit(BoringTask(), ckpt_path=str(folder / "saved"))
    assert again.mlflow_run_id == logger.mlflow_run_id
    assert [step for step, _ in history(folder, again, "train/loss")] == list(range(1, 13))


@needs_mlflow
def test_what_is_sent_again_is_there_once(folder):
    logger = MLflowLogger("digits")
    fit(folder, logger, Shows())
    rows, names = history(folder, logger, "train/loss"), artifacts(folder, logger)
    # As if MLflow's answers had been lost, and the process with them.
    for name in ("rows", "files"):
        cursor = folder / "mlflow_runs" / "digits" / logger.run_id / f"{name}.sent"
        cursor.write_text(f"0 {cursor.read_text().split()[1]}\n")
    assert MLflowLogger.send(logger.log_dir)
    assert history(folder, logger, "train/loss") == rows
    assert artifacts(folder, logger) == names


@needs_mlflow
def test_names_and_values_that_mlflow_refuses_are_changed_and_told(folder, caplog):
    class Long(BoringTask):
        def __init__(self, words="x" * 7000):
            super().__init__()

        def on_train_epoch_end(self):
            self.log("map@50 (all)", 0.5)

    logger = MLflowLogger("digits")
    fit(folder, logger, task=Long())
    run = run_of(folder, logger)
    assert run.data.params["words"] == "x" * 6000
    assert "words has 7000 characters; MLflow gets the first 6000" in caplog.text
    assert [value for _, value in history(folder, logger, "train/map_50 _all_")] == [0.5, 0.5]
    assert "'train/map@50 (all)' is called 'train/map_50 _all_' in MLflow" in caplog.text


@needs_mlflow
def test_a_param_that_changes_stays_and_is_told(folder, caplog):
    first = MLflowLogger("digits")
    fit(folder, first)
    again = MLflowLogger("digits", run_id=first.mlflow_run_id)
    fit(folder, again, max_epochs=3)
    assert again.mlflow_run_id == first.mlflow_run_id
    assert run_of(folder, again).data.params["trainer/max_epochs"] == "2"
    assert "the param trainer/max_epochs stays '2'; it is '3' now" in caplog.text


@needs_mlflow
def test_a_run_that_mlflow_does_not_know_is_told_and_its_rows_stay_here(folder, caplog):
    logger = MLflowLogger("digits", run_id="0123456789abcdef")
    fit(folder, logger)
    assert "opening the run failed" in caplog.text
    assert "0123456789abcdef" in caplog.text
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1
    rows = Outbox(folder / "mlflow_runs/digits/0123456789abcdef/rows.jsonl")
    assert rows.bytes_left == rows.path.stat().st_size > 0


@pytest.fixture
def hanging_address():
    """A server that takes connections and never answers."""
    listening, taken = socket.create_server(("127.0.0.1", 0)), []

    def accept():
        while True:
            try:
                taken.append(listening.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()
    for connection in taken:
        connection.close()


@needs_mlflow
def test_a_server_that_hangs_delays_no_window_and_its_rows_can_go_elsewhere(
    folder, hanging_address, caplog
):
    class Clock(Callback):
        def __init__(self):
            self.times = []

        def on_train_window_end(self, trainer, task):
            self.times.append(time.perf_counter())
            time.sleep(0.2)  # a run of some seconds

    clock = Clock()
    logger = MLflowLogger("digits", tracking_uri=hanging_address)
    fit(folder, logger, clock, max_epochs=6)
    assert max(np.diff(clock.times)) < 1.2  # 0.2 of them its own
    assert f"{hanging_address} does not answer" in caplog.text
    assert "MLflowLogger.send(" in caplog.text

    later = MLflowLogger("digits", run_id=logger.run_id)
    task = BoringTask()
    Trainer(**quiet(logger=later, default_root_dir=str(folder))).validate(task)
    assert [step for step, _ in history(folder, later, "train/loss")] == list(range(1, 25))


@needs_mlflow
def test_arguments_that_cannot_work_are_refused():
    with pytest.raises(ConfigurationError, match="log_model"):
        MLflowLogger(log_model="none")
    with pytest.raises(ConfigurationError, match="finish_timeout is 0"):
        MLflowLogger(finish_timeout=0)
    with pytest.raises(ConfigurationError, match="is no id of a run"):
        MLflowLogger(run_id="../other")
