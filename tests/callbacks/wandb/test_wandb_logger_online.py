import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wandb
import yaml
from helpers import killed_run
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.paths import ROOT, SEARCHED
from helpers.wandb_log import logged_runs

from lightning_tf import Trainer
from lightning_tf.callbacks import ModelCheckpoint, WandbLogger
from lightning_tf.exceptions import CheckpointError, ConfigurationError

pytestmark = pytest.mark.distributed  # a server and wandb's own process take part


def logger_to(server, folder, **arguments):
    settings = server.settings(**arguments.pop("settings", {}))
    return WandbLogger("digits", dir=folder, settings=settings, **arguments)


def test_a_fit_and_its_test_are_one_run_on_the_server(server, tmp_path):
    class Shows(BoringTask):
        def on_fit_end(self):
            self.trainer.log_images("images", np.zeros((1, 4, 4, 3)))

    logger = logger_to(server, tmp_path, name="first", tags=["small"], group="trials")
    trainer = Trainer(**quiet(max_epochs=2, log_every_n_steps=2, logger=logger))
    task = Shows()
    trainer.fit(task)
    trainer.test(task)
    run = server.run(logger.run_id)
    assert (run.name, run.tags, run.group, run.exit_code) == ("first", ["small"], "trials", 0)
    assert [step for step, _ in run.column("train/loss")] == [2, 4, 6, 8]
    assert [step for step, _ in run.column("val/loss")] == [4, 8]
    assert [step for step, _ in run.column("test/loss")] == [8]
    assert [row["_step"] for row in run.history] == list(range(len(run.history)))
    assert run.config["trainer"]["max_epochs"] == 2
    assert run.summary["val/loss"] == trainer.callback_metrics["val_loss"]
    assert any(name.startswith("run/") and "images" in name for name in server.blobs)


def test_a_checkpoint_comes_back_from_the_server(server, tmp_path, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    logger = logger_to(server, tmp_path, log_model="best")
    best = ModelCheckpoint(monitor="val_loss")
    arguments = {"logger": logger, "callbacks": best, "enable_checkpointing": True}
    trainer = fitted(BoringTask(), max_epochs=2, **arguments)
    artifact = server.answers.artifact(f"model-{logger.run_id}", "best")
    assert artifact["state"] == "COMMITTED"
    assert artifact["metadata"]["score"] == best.best_model_score
    whole = Path(best.best_model_path, "state.safetensors").read_bytes()
    assert server.blob(artifact, "state.safetensors") == whole
    assert not list(Path(logger.log_dir).glob("uploads/*/*"))
    expected = trainer.test(trainer.task)

    path = f"wandb:tester/digits/model-{logger.run_id}:best"
    elsewhere = quiet(default_root_dir=tmp_path / "elsewhere")
    assert Trainer(**elsewhere).test(BoringTask(), ckpt_path=path) == expected
    assert len(Trainer(**elsewhere).predict(BoringTask(), ckpt_path=path, collect=True)) == 4
    again = Trainer(**elsewhere, max_epochs=3)
    again.fit(BoringTask(), ckpt_path=path)
    assert (again.resumed, again.global_step) == (True, 12)


def test_an_artifact_of_another_run_is_read_and_noted_as_an_input(server, tmp_path, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    first = logger_to(server, tmp_path, log_model="last")
    fitted(BoringTask(), max_epochs=1, logger=first, enable_checkpointing=True)
    reference = f"tester/digits/model-{first.run_id}:latest"

    class Reads(BoringTask):
        def on_fit_start(self):
            self.folder = self.trainer.logger.download_artifact(reference, tmp_path / "input")

    second = logger_to(server, tmp_path)
    task = Reads()
    fitted(task, max_epochs=1, logger=second)
    artifact = server.answers.artifact(f"model-{first.run_id}")
    assert server.run(second.run_id).used == [artifact["id"]]
    assert Path(task.folder, "run.json").read_bytes() == server.blob(artifact, "run.json")

    # Without a run there is nothing that could note it.
    with pytest.raises(ConfigurationError, match="no run is open online"):
        second.use_artifact(reference)
    folder = second.download_artifact(reference, tmp_path / "again", use_artifact=False)
    assert Path(folder, "run.json").exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("wandb:tester/digits/model-none:best", "model-none"),
        ("wandb:a/b/c/d", "entity/project/name:alias"),
    ],
)
def test_an_artifact_that_is_not_there_is_named(server, tmp_path, monkeypatch, path, words):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CheckpointError, match=words):
        Trainer(**quiet(default_root_dir=tmp_path)).test(BoringTask(), ckpt_path=path)


def killed(folder, mode, seconds, environment):
    program = Path(killed_run.__file__)
    done = subprocess.run(
        [sys.executable, str(program), str(folder), mode, str(seconds)],
        env={**os.environ, "PYTHONPATH": SEARCHED, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def rows_of_a_whole_run(folder):
    rows = Rows()
    Trainer(**killed_run.arguments(folder, rows)).fit(killed_run.task())
    return [(step, name, row[name]) for step, row in rows.rows for name in row if name != "epoch"]


def rows_of(history):
    skipped = ("epoch", "trainer/global_step")
    return [
        (row["trainer/global_step"], name, row[name])
        for row in history
        for name in row
        if not name.startswith("_") and name not in skipped
    ]


# No row had reached the server, or not even the run; everything had, also what is done again.
@pytest.mark.parametrize("seconds", [pytest.param(0.0, marks=pytest.mark.slow), 2.5])
def test_a_run_killed_and_resumed_has_every_row_once(server, tmp_path, seconds):
    killed(tmp_path, "online", seconds, server.environment())
    before = rows_of(server.run("thesame").history) if seconds else []
    assert bool([row for row in before if row[0] > 8]) == bool(seconds)
    logger = killed_run.logger(tmp_path, "online", server.settings())
    trainer = Trainer(**killed_run.arguments(tmp_path, logger))
    trainer.fit(killed_run.task(), ckpt_path="last")
    rows = rows_of(server.run("thesame").history)
    assert sorted(rows) == sorted(rows_of_a_whole_run(tmp_path / "whole"))
    assert len(before) < len(rows)
    assert server.run("thesame").exit_code == 0


# Killed before wandb wrote much, or anything; and with rows on the disk that are done again.
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 2.5])
def test_a_run_killed_and_resumed_offline_has_every_row_once(server, tmp_path, seconds):
    killed(tmp_path, "offline", seconds, {})
    logger = killed_run.logger(tmp_path, "offline")
    trainer = Trainer(**killed_run.arguments(tmp_path, logger))
    trainer.fit(killed_run.task(), ckpt_path="last")
    folders = sorted(tmp_path.glob("wandb/offline-run-*"))
    expected = sorted(rows_of_a_whole_run(tmp_path / "whole"))
    rows = [row for run in logged_runs(tmp_path) for row in rows_of(run.history)]
    assert sorted(rows) == expected
    folders = [folder for folder in folders if list(folder.glob("*.wandb"))]
    command = [Path(sys.executable).with_name("wandb"), "sync", *folders]
    environment = {**os.environ, **server.environment()}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert sorted(rows_of(server.run("thesame").history)) == expected


def test_a_resume_where_the_runs_folder_is_not_sends_no_row_twice(server, tmp_path):
    first = logger_to(server, tmp_path / "here", id="moved")
    task = NumberTask(NumberData(range(1, 5)))
    arguments = {"log_every_n_steps": 1, "callbacks": [ModelCheckpoint(every_n_train_steps=4)]}
    arguments |= {"enable_checkpointing": True, "default_root_dir": tmp_path}
    trainer = fitted(task, max_steps=6, logger=first, **arguments)
    saved = Path(trainer.checkpoint_callback.last_model_path)
    second = logger_to(server, tmp_path / "there", id="moved")
    again = Trainer(**quiet(max_steps=8, logger=second, **arguments))
    again.fit(NumberTask(NumberData(range(1, 5))), ckpt_path=saved)
    column = server.run("moved").column("train/loss")
    assert [step for step, _ in column] == [1, 2, 3, 4, 5, 6, 7, 8]


TRIAL = """
import keras, sys, wandb
from helpers.boring import NumberData, NumberTask, fitted
from lightning_tf.callbacks import WandbLogger

rate = wandb.init().config.rate if sys.argv[1] == "own" else float(sys.argv[2].partition("=")[2])
task = NumberTask(NumberData(range(1, 4)), keras.optimizers.SGD(rate))
fitted(task, max_epochs=1, log_every_n_steps=1, logger=WandbLogger(dir=sys.argv[-1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("opener", ["own", "ours"])
def test_an_agent_runs_the_trials_of_a_sweep(server, tmp_path, monkeypatch, opener):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", SEARCHED)
    program = tmp_path / "trial.py"
    program.write_text(TRIAL)
    command = ["${env}", sys.executable, "${program}", opener, "${args_no_hyphens}", str(tmp_path)]
    sweep = {"method": "grid", "parameters": {"rate": {"values": [0.25, 0.5]}}}
    sweep |= {"program": str(program), "command": command}
    asked = {"config": json.dumps(sweep), "projectName": "trials"}
    name = server.answers.UpsertSweep(asked)["upsertSweep"]["sweep"]["name"]
    agent = [Path(sys.executable).with_name("wandb"), "agent", f"tester/trials/{name}"]
    subprocess.run(agent, cwd=tmp_path, capture_output=True, check=True, timeout=120)
    runs = list(server.answers.runs.values())
    assert [run.config["rate"] for run in runs] == [0.25, 0.5]
    assert [run.exit_code for run in runs] == [0, 0]
    assert [run.column("train/loss")[1] for run in runs] == [(2, 1.5), (2, 1.0)]


@pytest.mark.slow
def test_an_agent_runs_the_sweep_of_the_scripts(server, tmp_path, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    sweep = yaml.safe_load((ROOT / "scripts/sweep.yaml").read_text())
    # The server goes through a grid; everything else is the file's.
    rates = {"task.learning_rate": {"values": [0.01, 0.02]}}
    few = ["--trainer.limit_train_batches=4", "--trainer.limit_val_batches=2"]
    command = [sys.executable if word == "${program}" else word for word in sweep["command"]]
    at = command.index("fit")
    command[at:at] = ["-m", "lightning_tf"]
    sweep |= {
        "method": "grid",
        "parameters": rates,
        "command": [*command, "--task.network=linear", *few],
    }
    asked = {"config": json.dumps(sweep), "projectName": "digits"}
    name = server.answers.UpsertSweep(asked)["upsertSweep"]["sweep"]["name"]
    agent = [Path(sys.executable).with_name("wandb"), "agent", f"tester/digits/{name}"]
    subprocess.run(agent, cwd=tmp_path, capture_output=True, check=True, timeout=300)
    runs = list(server.answers.runs.values())
    assert [run.exit_code for run in runs] == [0, 0]
    assert [run.config["learning_rate"] for run in runs] == [0.01, 0.02]
    assert all(len(run.column("val/accuracy")) == 9 for run in runs)


def test_the_journal_is_readable_by_itself(server, tmp_path):
    logger = logger_to(server, tmp_path)
    fitted(NumberTask(NumberData([1.0, 2.0])), max_epochs=1, logger=logger, log_every_n_steps=1)
    lines = Path(logger.log_dir, "rows.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    values = [row[2].get("train/loss") for row in rows if isinstance(row, list)]
    assert values == [1.0, 0.0, None]
    assert wandb.run is None
