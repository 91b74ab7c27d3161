"""One process at a time writes a run's folder: of W&B, of MLflow, of Trackio, of any tracker."""

import logging
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers.boring import BoringTask, fitted
from helpers.kept_run import KeptLogger, KeptRun, Tracker
from helpers.paths import SEARCHED

from lightning_tf.callbacks import MLflowLogger, TrackioLogger, WandbLogger
from lightning_tf.callbacks.loggers.run_lock import lock_run

pytestmark = [
    pytest.mark.usefixtures("sealed"),
    pytest.mark.filterwarnings("ignore"),  # what MLflow, Trackio and their like say of themselves
]


def where_installed(package):
    reason = f"pip install 'lightning-tf[{package}]'"
    missing = find_spec(package) is None
    return [pytest.mark.slow, pytest.mark.skipif(missing, reason=reason)]


LOGGERS = {
    "wandb": lambda folder: WandbLogger("digits", id="same", dir=folder, mode="offline"),
    "json": lambda folder: KeptLogger(folder, "same"),
    "mlflow": lambda folder: MLflowLogger("digits", save_dir=folder, run_id="same"),
    "trackio": lambda folder: TrackioLogger("digits", save_dir=folder, run_id="same"),
}
every_tracker = pytest.mark.parametrize(
    "package",
    [
        "wandb",
        "json",
        *(pytest.param(name, marks=where_installed(name)) for name in ("mlflow", "trackio")),
    ],
)


@pytest.fixture(scope="module", autouse=True)
def imported():
    """MLflow sets variables of the environment when it is imported."""
    if find_spec("mlflow"):
        import mlflow.tracking  # noqa: F401


@pytest.fixture(autouse=True)
def trackers(tmp_path, monkeypatch):
    monkeypatch.setattr(KeptRun, "tracker", Tracker())
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def folder_of_run(root, package):
    project = "kept" if package == "json" else "digits"
    return root / f"{package}_runs" / project / "same"


def row_count(folder):
    path = folder / "rows.jsonl"
    return path.read_text().count('"train/loss"') if path.exists() else 0


def left_out(caplog):
    messages = [record.getMessage() for record in caplog.records]
    return [message for message in messages if "without this logger" in message]


HOLDER = """
import sys
from pathlib import Path
from lightning_tf.callbacks.loggers.run_lock import lock_run

lock = lock_run(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """Starts a process that holds a run's folder, and returns it."""
    started = []

    def hold(folder):
        command = [sys.executable, "-c", HOLDER, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env={"PYTHONPATH": SEARCHED}, **pipes)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "package",
    [
        pytest.param("wandb", marks=pytest.mark.slow),
        "json",
        *(pytest.param(name, marks=where_installed(name)) for name in ("mlflow", "trackio")),
    ],
)
def test_the_second_process_of_a_run_is_left_out_until_the_first_has_gone(
    tmp_path, caplog, package, other_process
):
    folder = folder_of_run(tmp_path, package)
    process = other_process(folder)
    logger = LOGGERS[package](tmp_path)
    arguments = {"max_epochs": 1, "log_every_n_steps": 1, "logger": logger}
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(BoringTask(), **arguments)
        assert trainer.test(trainer.task)
    assert trainer.global_step == 4
    (told,) = left_out(caplog)
    assert f"'same' is being written by another process or logger, in {folder}" in told
    assert row_count(folder) == 0

    process.kill()  # the lock of a killed process is free at once
    process.wait()
    fitted(BoringTask(), **arguments)
    assert row_count(folder) == 4
    assert len(left_out(caplog)) == 1


@every_tracker
def test_of_two_loggers_of_one_run_the_second_is_left_out(tmp_path, caplog, package):
    loggers = [LOGGERS[package](tmp_path), LOGGERS[package](tmp_path)]
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(BoringTask(), max_epochs=1, log_every_n_steps=1, logger=loggers)
    (told,) = left_out(caplog)
    assert "another process or logger" in told


@every_tracker
def test_a_run_that_fails_leaves_its_folder_free(tmp_path, package):
    class Fails(BoringTask):
        def on_train_epoch_end(self):
            raise ValueError("the end")

    with pytest.raises(ValueError, match="the end"):
        fitted(Fails(), max_epochs=1, logger=LOGGERS[package](tmp_path))
    lock = lock_run(folder_of_run(tmp_path, package))
    assert lock is not None
    lock.release()


def test_what_waits_in_a_folder_is_not_sent_while_a_run_writes_there(tmp_path):
    logger = KeptLogger(tmp_path, "same")
    fitted(BoringTask(), max_epochs=1, logger=logger)
    lock = lock_run(folder_of_run(tmp_path, "json"))
    with pytest.raises(RuntimeError, match="'same' is being written by another process"):
        KeptLogger.send(logger.log_dir)
    lock.release()
    assert KeptLogger.send(logger.log_dir)


def test_a_disk_that_refuses_the_folder_has_no_lock(tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    assert lock_run(tmp_path / "file" / "run") is None


def test_a_lock_is_kept_for_the_same_folder_and_given_back_for_another(tmp_path):
    first = lock_run(tmp_path / "a")
    assert lock_run(tmp_path / "a", first) is first
    second = lock_run(tmp_path / "b", first)
    assert not first.is_locked
    second.release()
