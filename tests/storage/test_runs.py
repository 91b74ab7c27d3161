"""Whole runs whose folder is a URL."""

import logging
from pathlib import Path

import fsspec
import numpy as np
import pytest
from helpers.runs_in_a_store import QUIET, Line, every, fitted, weights
from upath import UPath

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger, ModelCheckpoint, PredictionWriter
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.storage.location import CACHE, url_of

RUN = "memory://bucket/run"


def stored(folder="/bucket"):
    return sorted(fsspec.filesystem("memory").find(folder))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """What a store has of a run of 10 updates, and its weights after the last."""
    memory = fsspec.filesystem("memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("machine")))
        _, task = fitted(RUN, 10)
    return {path: memory.cat(path) for path in stored()}, weights(task)


@pytest.fixture
def run_of_another(begun):
    """Put the run into the store; this machine has nothing of it. Return its weights."""
    files, last = begun
    fsspec.filesystem("memory").pipe(files)
    return last


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A Trainer and a task whose run stands on this disk."""
    root = tmp_path_factory.mktemp("local")
    return fitted(root, 4, checkpoints=every(save_last=False))


def flip(path):
    system = fsspec.filesystem("memory")
    content = bytearray(system.cat(path))
    content[-1] ^= 1
    system.pipe(path, bytes(content))


def test_a_run_goes_on_on_a_machine_that_has_nothing_with_the_same_bits(tmp_path, run_of_another):
    _, undisturbed = fitted(tmp_path / "local", 22)
    trainer, task = fitted(RUN, 22, ckpt_path="last")

    assert trainer.resumed
    assert weights(task) == weights(undisturbed)
    checkpoints = {p.split("/")[6] for p in stored("/bucket/run/runs/version_0/checkpoints")}
    assert checkpoints == {"epoch=1-step=16.ckpt", "epoch=2-step=20.ckpt", "last.ckpt"}
    rows = fsspec.filesystem("memory").cat("/bucket/run/runs/version_0/metrics.csv").decode()
    assert [line.split(",")[0] for line in rows.splitlines()[1:]] == ["4", "8", "12", "16", "20"]


def test_best_and_a_url_find_their_checkpoint_on_another_machine(run_of_another, other_machine):
    by_url = Line.from_checkpoint(f"{RUN}/runs/version_0/checkpoints/last.ckpt")
    assert weights(by_url) == run_of_another

    other_machine("machine_2")
    trainer = Trainer(default_root_dir=RUN, callbacks=[every()], **QUIET)
    best = Line()
    trainer.predict(best, np.ones((2, 4), "float32"), ckpt_path="best", collect=True)
    kept = Line.from_checkpoint(f"{RUN}/runs/version_0/checkpoints/epoch=0-step=8.ckpt")
    assert weights(best) == weights(kept)
    assert weights(best) != run_of_another


def test_damaged_and_half_uploads_are_passed_over_with_a_message(run_of_another, caplog):
    folder = "/bucket/run/runs/version_0/checkpoints"
    [tensors] = [p for p in stored(f"{folder}/last.ckpt") if p.endswith(".safetensors")]
    flip(tensors)
    fsspec.filesystem("memory").rm(f"{folder}/epoch=0-step=8.ckpt/COMPLETE.json")
    trainer, _ = fitted(RUN, 12, ckpt_path="last")
    assert trainer.resumed
    assert "step=4.ckpt" in trainer.ckpt_path
    assert "last.ckpt is damaged in the store: state.safetensors" in caplog.text
    assert "epoch=0-step=8.ckpt was not uploaded whole" in caplog.text


def test_a_second_run_takes_other_names_than_those_in_the_store(run_of_another, caplog):
    caplog.set_level(logging.INFO)
    folder = f"{RUN}/runs/version_0/checkpoints"
    trainer, _ = fitted(RUN, 4, checkpoints=every(dirpath=folder))
    names = {path.split("/")[6] for path in stored("/bucket/run/runs/version_0/checkpoints")}
    assert names == {
        *("epoch=0-step=4.ckpt", "epoch=0-step=8.ckpt", "last.ckpt"),
        *("epoch=0-step=4-v1.ckpt", "last-v1.ckpt"),
    }
    assert Path(trainer.log_dir).name == "version_1"
    assert caplog.text.count("written to") == 1
    assert "files in memory://bucket/run/runs/version_1" in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.slow
def test_a_store_that_is_away_does_not_end_a_run_nor_begin_one_anew(
    switched, caplog, monkeypatch, other_machine
):
    from lightning_tf.callbacks import LambdaCallback
    from lightning_tf.storage import uploads

    monkeypatch.setattr(uploads, "FIRST_WAIT", 0.02)
    monkeypatch.setenv(uploads.TIMEOUT, "0.5")
    url = "switched://bucket/run"

    def leave(trainer, task):
        switched.away = switched.away or trainer.global_step >= 6

    fitted(url, 20, LambdaCallback(on_train_window_end=leave))
    assert caplog.text.count("the run goes on") == 1
    assert "not uploaded (" in caplog.text

    other_machine()
    with pytest.raises(CheckpointError, match="does not answer"):
        fitted(url, 20, ckpt_path="last")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        fitted(url, 20)
    switched.away = False
    other_machine("machine_0")
    _, task = fitted(url, 24, ckpt_path="last")
    other_machine("machine_3")
    again = Line.from_checkpoint(f"{url}/runs/version_0/checkpoints/last.ckpt")
    assert weights(again) == weights(task)


@pytest.mark.parametrize("root", [UPath(RUN), RUN, RUN + "/"])
def test_save_checkpoint_returns_when_it_stands_in_the_store(root, trained, other_machine):
    trainer, task = trained
    trainer.save_checkpoint(f"{str(root).rstrip('/')}/mine.ckpt")
    other_machine()
    assert weights(Line.from_checkpoint(f"{RUN}/mine.ckpt")) == weights(task)


def test_loggers_and_writers_take_urls_beside_a_local_root(tmp_path):
    fitted(tmp_path, 4, logger=CSVLogger("memory://bucket/logs", name="line"))
    assert "/bucket/logs/line/version_0/metrics.csv" in stored()

    writer = PredictionWriter("memory://bucket/predictions", format="csv")
    trainer = Trainer(default_root_dir=tmp_path, logger=False, callbacks=[writer], **QUIET)
    trainer.predict(Line(), np.ones((2, 4), "float32"))
    assert stored("/bucket/predictions") == ["/bucket/predictions/predictions.csv"]


def test_exports_are_uploaded_and_replace_nothing(trained):
    _, task = trained
    path = task.export("memory://bucket/models/line", format="safetensors")
    assert url_of(path) == "memory://bucket/models/line.safetensors"
    task.export("memory://bucket/models/saved")
    assert "/bucket/models/line.safetensors" in stored()
    assert "/bucket/models/saved/saved_model.pb" in stored()
    with pytest.raises(ConfigurationError, match=r"line\.safetensors: something is there"):
        task.export("memory://bucket/models/line", format="safetensors")


@pytest.mark.parametrize(
    "make",
    [
        lambda path: Trainer(default_root_dir=path),
        lambda path: ModelCheckpoint(dirpath=path),
        lambda path: CSVLogger(path),
        lambda path: PredictionWriter(path),
    ],
)
@pytest.mark.parametrize("path", ["nosuch://bucket/run", Path("s3://bucket/run")])
def test_what_cannot_be_reached_is_refused_before_a_run(make, path):
    with pytest.raises(ConfigurationError, match=r"nosuch|s3:"):
        make(path)


def test_file_urls_are_this_disk(tmp_path):
    trainer = Trainer(default_root_dir=f"file://{tmp_path}/run")
    assert trainer.default_root_dir == f"{tmp_path}/run"


def test_a_upath_of_a_checkpoint_is_taken(run_of_another):
    marker = next(path for path in stored() if path.endswith("last.ckpt/COMPLETE.json"))
    last = UPath(f"memory:/{marker}").parent
    trainer, _ = fitted(RUN, 11, ckpt_path=last)
    assert trainer.resumed
    assert trainer.global_step == 11


def test_a_checkpoint_that_is_saved_by_hand_is_sent_once(trained):
    trained[0].save_checkpoint("memory://bucket/hand.ckpt")
    names = [path.rsplit("/", 1)[1] for path in stored("/bucket/hand.ckpt")]
    assert sorted(names) == ["COMPLETE.json", "run.json", "state.safetensors"]
