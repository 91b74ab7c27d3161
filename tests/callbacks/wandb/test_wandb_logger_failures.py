import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import wandb
from helpers.boring import BoringTask, NumberData, NumberTask, fitted
from helpers.paths import SEARCHED
from helpers.wandb_log import logged_runs

from lightning_tf import Callback
from lightning_tf.callbacks import WandbLogger
from lightning_tf.callbacks.wandb.journal import WandbJournal

pytestmark = pytest.mark.distributed  # a server and wandb's own process take part


STEPS = 40


def first_quick(name, first, *others):
    """Parameters of which the first one runs by default: the others take another road to it."""
    return pytest.mark.parametrize(
        name, [first, *(pytest.param(other, marks=pytest.mark.slow) for other in others)]
    )


class At(Callback):
    """Does something after an update."""

    def __init__(self, step, action):
        self.every_n_steps, self.action = step, action

    def on_train_window_end(self, trainer, task):
        if trainer.global_step == self.every_n_steps:
            self.action()


class Slowest(Callback):
    """Remembers the longest time between the ends of two windows."""

    every_n_steps = 1

    def __init__(self):
        self.seconds, self.before = 0.0, None

    def on_train_window_end(self, trainer, task):
        now = time.perf_counter()
        self.seconds = max(self.seconds, now - (self.before or now))
        self.before = now


def logger_to(server, folder, finish_timeout=4.0, **arguments):
    settings = server.settings(**arguments.pop("settings", {}))
    options = {"init_timeout": 2.0, "finish_timeout": finish_timeout, **arguments}
    return WandbLogger("digits", dir=folder, settings=settings, **options)


def number_task():
    return NumberTask(NumberData(range(1, STEPS + 1)))


def fit(logger, *callbacks, task=None, **arguments):
    slowest = Slowest()
    options = {"max_epochs": 1, "log_every_n_steps": 1, "logger": logger, **arguments}
    fitted(task or number_task(), callbacks=[*callbacks, slowest], **options)
    return slowest.seconds


def warnings_in(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "lightning_tf" and r.levelno >= 30]


def told_once(caplog):
    """Whether something was told, and nothing of one kind twice."""
    kinds = [text.partition(" and the run goes on")[0] for text in warnings_in(caplog)]
    return bool(kinds) and len(set(kinds)) == len(kinds)


def kept_rows(folder):
    """The updates whose rows are in W&B's log here; those of the journal must be the same."""
    steps = [step for run in logged_runs(folder) for step, _ in run.column("train/loss")]
    journals = [WandbJournal(path.parent) for path in folder.glob("wandb_runs/*/*/rows.jsonl")]
    rows = [row.step for journal in journals for row in journal.read_rows()
            if "train/loss" in row.values]  # fmt: skip
    assert sorted(rows) == sorted(steps)
    return steps


def served_rows(server, logger):
    return [step for step, _ in server.run(logger.run_id).column("train/loss")]


@first_quick("status", 401, 403, 404, 429, 500)
def test_a_server_that_refuses_a_run_leaves_it_on_this_disk(server, tmp_path, caplog, status):
    server.fail(status)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        slowest = fit(logger_to(server, tmp_path))
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    (message,) = warnings_in(caplog)
    assert "going online failed and the run goes on" in message
    assert "wandb sync --include-online" in message
    assert slowest < 0.5


def test_a_server_that_is_not_there_leaves_the_run_on_this_disk(server, tmp_path, caplog):
    server.stop()
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(logger_to(server, tmp_path))
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert len(warnings_in(caplog)) == 1


@pytest.mark.slow
def test_a_key_that_is_refused_leaves_the_run_on_this_disk(server, tmp_path, caplog):
    server.keys = {"another key"}
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(logger_to(server, tmp_path))
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert len(warnings_in(caplog)) == 1


def test_a_server_that_hangs_does_not_hold_training_up(server, tmp_path, caplog):
    server.delay = 60.0
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        began = time.monotonic()
        slowest = fit(logger_to(server, tmp_path, finish_timeout=6.0))
        seconds = time.monotonic() - began
    assert slowest < 0.5
    assert seconds < 12.0
    assert len(warnings_in(caplog)) == 1
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))


@first_quick("status", 500, 429, 503)
def test_faults_that_pass_lose_nothing(server, tmp_path, status):
    logger = logger_to(server, tmp_path, finish_timeout=20.0)
    server.fail(status, "file_stream", times=2)
    slowest = fit(logger)
    assert served_rows(server, logger) == kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert slowest < 0.5


def test_a_server_that_is_slow_gets_everything_and_delays_no_window(server, tmp_path, caplog):
    server.delay = 0.4
    logger = logger_to(server, tmp_path, finish_timeout=30.0, init_timeout=10.0)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        slowest = fit(logger)
    assert served_rows(server, logger) == kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert slowest < 0.5
    assert not warnings_in(caplog)


def test_a_server_that_goes_away_at_the_end_leaves_all_rows_here(server, tmp_path, caplog):
    class GoesAway(Callback):
        def on_fit_end(self, trainer, task):
            assert logger.experiment is not None
            server.stop()

    logger = logger_to(server, tmp_path)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        began = time.monotonic()
        fit(logger, GoesAway())
        seconds = time.monotonic() - began
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert seconds < 15.0
    (told,) = warnings_in(caplog)
    assert "wandb sync --include-online" in told


@first_quick("status", 500, 401)
def test_a_server_that_takes_no_rows_ends_nothing(server, tmp_path, status, caplog):
    server.fail(status, "file_stream")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        slowest = fit(logger_to(server, tmp_path))
    assert slowest < 0.5
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert len(warnings_in(caplog)) == 1


@pytest.mark.slow
def test_a_server_that_dies_and_comes_back_gets_everything(server, tmp_path):
    def die():
        logger.experiment.log({"alive": 1})
        server.stop()

    logger = logger_to(server, tmp_path, finish_timeout=30.0, log_model="last", init_timeout=10.0)
    back = threading.Timer(3.0, server.start)
    slowest = fit(logger, At(10, die), At(11, back.start), enable_checkpointing=True)
    back.join()
    assert served_rows(server, logger) == kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert server.answers.artifact(f"model-{logger.run_id}")["state"] == "COMMITTED"
    assert slowest < 10.0  # `experiment` waits for the run


def test_a_server_that_dies_leaves_rows_and_checkpoints_here_for_later(server, tmp_path, caplog):
    def die():
        logger.experiment.log({"alive": 1})
        server.stop()

    logger = logger_to(server, tmp_path, id="again", log_model="last", init_timeout=10.0)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        began = time.monotonic()
        fit(logger, At(10, die), enable_checkpointing=True)
        seconds = time.monotonic() - began
    assert seconds < 15.0
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    message = "".join(warnings_in(caplog))
    assert "wandb sync --include-online" in message
    assert Path(logger.log_dir, "pending_uploads.jsonl").exists()

    wandb.teardown(exit_code=0)
    server.start()
    later = logger_to(server, tmp_path, id="again", finish_timeout=30.0)
    fitted(NumberTask(NumberData([1.0])), max_epochs=1, logger=later)
    assert server.answers.artifact("model-again")["metadata"]["step"] == STEPS
    assert not Path(later.log_dir, "pending_uploads.jsonl").exists()


@first_quick("status", 403, 500)
def test_a_checkpoint_that_the_server_refuses_stays_here(server, tmp_path, status, caplog):
    server.fail(status, "CreateArtifact")
    logger = logger_to(server, tmp_path, log_model="last")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        slowest = fit(logger, enable_checkpointing=True)
    assert told_once(caplog)
    assert Path(logger.log_dir, "pending_uploads.jsonl").exists()
    assert served_rows(server, logger) == kept_rows(tmp_path) == list(range(1, STEPS + 1))
    assert slowest < 1.0


def test_a_wandb_process_that_is_killed_ends_nothing(sealed, tmp_path, caplog):
    import psutil

    def kill():
        logger.experiment.log({"alive": 1})
        for child in psutil.Process().children(recursive=True):
            if "wandb" in child.name() or "wandb-core" in " ".join(child.cmdline()):
                os.kill(child.pid, signal.SIGKILL)

    logger = WandbLogger("digits", dir=tmp_path, mode="offline", finish_timeout=4.0)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        slowest = fit(logger, At(10, kill))
    assert slowest < 5.0
    assert told_once(caplog)
    wandb.run = None  # its process is gone: nothing can finish it
    # The journal holds what wandb has lost.
    lines = Path(logger.log_dir, "rows.jsonl").read_text().splitlines()
    assert sum('"train/loss"' in line for line in lines) == STEPS


def test_a_disk_that_refuses_ends_nothing(sealed, tmp_path, caplog):
    folder = tmp_path / "wandb_runs" / "digits"
    folder.mkdir(parents=True)
    (folder / "full").write_text("a file where the run's folder should be")
    logger = WandbLogger("digits", id="full", dir=tmp_path, mode="offline")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(BoringTask(), max_epochs=1, logger=logger, log_every_n_steps=1)
    assert trainer.global_step == 4
    assert told_once(caplog)
    (run,) = logged_runs(tmp_path)  # W&B's own folder takes them, the journal's does not
    assert [step for step, _ in run.column("train/loss")] == [1, 2, 3, 4]


PROGRAM = """
import sys, time
from pathlib import Path
from helpers.boring import NumberData, NumberTask, fitted
from lightning_tf import Callback
from lightning_tf.callbacks import WandbLogger

class Waits(Callback):
    every_n_steps = 10
    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            assert logger.experiment is not None
            (folder / "alive").touch()
            while not (folder / "dead").exists():
                time.sleep(0.05)

folder = Path(sys.argv[1])
logger = WandbLogger("digits", dir=folder, log_model="all", finish_timeout=4.0)
fitted(NumberTask(NumberData(range(15))), max_epochs=1, logger=logger, callbacks=Waits(),
       enable_checkpointing=True, log_every_n_steps=1)
"""


@pytest.mark.slow
def test_a_process_ends_though_the_server_has_died(server, tmp_path):
    paths = SEARCHED
    environment = {**os.environ, **server.environment(), "PYTHONPATH": paths}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        while not (tmp_path / "alive").exists() and process.poll() is None:
            time.sleep(0.05)
        server.stop()
        (tmp_path / "dead").touch()
        began = time.monotonic()
        _, errors = process.communicate(timeout=40.0)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert time.monotonic() - began < 20.0
    assert kept_rows(tmp_path) == list(range(1, 16))
    assert list(tmp_path.glob("wandb_runs/digits/*/pending_uploads.jsonl"))


def test_after_a_killed_wandb_process_the_next_fit_has_a_run(server, tmp_path, caplog):
    import psutil

    def kill():
        logger.experiment.log({"alive": 1})
        for child in psutil.Process().children(recursive=True):
            if "wandb" in child.name() or "wandb-core" in " ".join(child.cmdline()):
                os.kill(child.pid, signal.SIGKILL)

    logger = logger_to(server, tmp_path)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(logger, At(10, kill))
    assert warnings_in(caplog)
    for id in ("second", "third"):
        logger = logger_to(server, tmp_path, id=id)
        fitted(BoringTask(), max_epochs=1, logger=logger, log_every_n_steps=1)
        assert len(server.run(id).column("train/loss")) == 4


@first_quick("status", "html", 413, 410, 404)
def test_rows_that_something_took_for_the_server_are_counted_and_told(
    server, tmp_path, caplog, status
):
    server.fail(status, "file_stream", times=2 if status == "html" else -1)
    logger = logger_to(server, tmp_path)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fit(logger, At(10, lambda: time.sleep(3.0)))
    held = len(server.run(logger.run_id).history)
    assert held < STEPS
    assert kept_rows(tmp_path) == list(range(1, STEPS + 1))
    told = "".join(warnings_in(caplog))
    assert f"the server has {held} of {STEPS + 1} rows" in told

    # The command that is named repairs it.
    server._faults.clear()
    command = told.partition("run of its own: ")[2].split()
    assert command[:3] == ["wandb", "sync", "--include-online"]
    program = [Path(sys.executable).with_name("wandb"), *command[1:]]
    environment = {**os.environ, **server.environment()}
    subprocess.run(program, env=environment, check=True, timeout=60, capture_output=True)
    assert len(server.run(f"{logger.run_id}-whole").column("train/loss")) == STEPS


def test_a_logger_whose_wandb_cannot_be_imported_is_left_out(tmp_path, caplog, monkeypatch):
    logger = WandbLogger("digits", dir=tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        trainer = fitted(BoringTask(), max_epochs=1, logger=logger)
    assert trainer.global_step == 4
    (told,) = warnings_in(caplog)
    assert "setup failed and the run goes on without this logger" in told


def test_each_kind_of_failure_is_told_once_whichever_was_first(sealed, tmp_path, caplog):
    class Fails(BoringTask):
        def on_train_epoch_end(self):
            trainer = self.trainer
            trainer.log_images("images", np.zeros((1, 8, 8, 5)))
            trainer.log_table("a table", ["a"], [[1, 2]])
            trainer.log_table("another", ["a"], [[1], ["b"]])
            trainer.log_file("a file", str(tmp_path / "gone.txt"))
            trainer.log_figure("a figure", None)

    logger = WandbLogger("digits", dir=tmp_path, mode="offline")
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        fitted(Fails(), max_epochs=3, logger=logger, log_every_n_steps=1)
    told = warnings_in(caplog)
    for words in ("log_images", "log_table", "(another)", "gone.txt", "log_figure"):
        assert sum(words in text for text in told) == 1, (words, told)
    assert kept_rows(tmp_path) == list(range(1, 13))
