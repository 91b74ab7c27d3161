"""What must never be loaded: damaged checkpoints, and those that somebody made to do harm."""

import hashlib
import json
import os
import pickle
import random
import struct

import numpy as np
import pytest
from helpers.boring import BoringTask, quiet

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger, ModelCheckpoint, WandbLogger
from lightning_tf.checkpoint.digests import digest
from lightning_tf.checkpoint.io import (
    FORMAT,
    LONGEST_RUN,
    RUN_FILE,
    TENSORS_FILE,
    Snapshot,
    read_checkpoint,
    read_run,
    write_checkpoint,
)
from lightning_tf.exceptions import CheckpointError

PLACES = 25  # of each file, flipped and cut: 50 a file


@pytest.fixture
def saved(tmp_path):
    state = Snapshot(
        {"kernel": np.arange(300.0, dtype="float32"), "steps": np.array(7)},
        json.dumps({"epoch": 3, "callbacks": {"a": {"best": [0.5, "b"]}}, "nothing": None}),
    )
    write_checkpoint(tmp_path / "a", state)
    assert read_checkpoint(tmp_path / "a").run["epoch"] == 3
    return tmp_path / "a"


def flipped(content, place):
    bits = bytearray(content)
    bits[place] ^= 1 << random.randrange(8)
    return bytes(bits)


@pytest.mark.parametrize("name", [TENSORS_FILE, RUN_FILE])
@pytest.mark.parametrize("harm", [flipped, lambda content, place: content[:place]])
def test_a_flipped_bit_or_a_cut_anywhere_is_refused_with_the_files_name(saved, name, harm):
    random.seed(1)
    whole = (saved / name).read_bytes()
    for _ in range(PLACES):
        (saved / name).write_bytes(harm(whole, random.randrange(len(whole))))
        with pytest.raises(CheckpointError, match=r"a/(run\.json|state\.safetensors)"):
            read_checkpoint(saved)
    (saved / name).write_bytes(whole)
    read_checkpoint(saved)


def test_a_byte_added_is_refused(saved):
    for name in (TENSORS_FILE, RUN_FILE):
        whole = (saved / name).read_bytes()
        (saved / name).write_bytes(whole + b" ")
        with pytest.raises(CheckpointError, match="damaged"):
            read_checkpoint(saved)
        (saved / name).write_bytes(whole)


@pytest.mark.parametrize("number", [1, FORMAT - 1, FORMAT + 1])
def test_another_format_is_refused_with_its_number(saved, tmp_path, number):
    forged = forge(tmp_path / "b", (saved / TENSORS_FILE).read_bytes(), number=number)
    with pytest.raises(
        CheckpointError, match=rf"format {number}.*reads format {FORMAT} alone: install"
    ):
        read_checkpoint(forged)


def forge(folder, tensors, run=b"{}", number=FORMAT):
    """What an attacker can do: both files, every sum right."""
    folder.mkdir(exist_ok=True)
    (folder / TENSORS_FILE).write_bytes(tensors)
    head = {"format": number, "sha256": digest(tensors)}
    above = json.dumps(head)[:-1].encode() + b", " + run[1:-1] + b'"x": 1'
    seal = f', "sha256_above": "{hashlib.sha256(above).hexdigest()}"}}'
    (folder / RUN_FILE).write_bytes(above + seal.encode())
    return folder


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def header(text, length=None):
    return struct.pack("<Q", len(text) if length is None else length) + text


HOSTILE = {
    "pickle": pickle.dumps(Bomb()),
    "numpy pickle": b"\x93NUMPY\x01\x00" + pickle.dumps(Bomb()),
    "nothing": b"",
    "huge header": header(b"{}", 2**63),
    "header beyond the file": header(b"{}", 10_000),
    "huge tensor": header(b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'),
    "offsets outside": header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}')
    + b"1234",
    "negative shape": header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + b"1234",
    "unknown type": header(b'{"a":{"dtype":"os.system","shape":[1],"data_offsets":[0,4]}}') + b"12",
    "no json": header(b"\xff" * 40),
}
ELSEWHERE = ["../../up", "a/../../up", "..", "/etc/passwd", "..\\\\up", "a\\u0000b"]


@pytest.mark.parametrize("tensors", HOSTILE.values(), ids=HOSTILE)
def test_hostile_tensors_are_refused_and_run_nothing(tmp_path, monkeypatch, tensors):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_checkpoint(forge(tmp_path / "a", tensors))
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "content",
    [pickle.dumps(Bomb()), b"[" * 100_000, b'{"a": ' * 100_000, b"\xff\xfe", b"1" * 5000],
    ids=["pickle", "deep list", "deep dict", "no text", "a number of 5000 digits"],
)
def test_hostile_plain_data_are_refused_and_run_nothing(saved, monkeypatch, content):
    monkeypatch.chdir(saved.parent)
    (saved / RUN_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"run\.json is damaged"):
        read_checkpoint(saved)
    assert os.listdir(saved.parent) == ["a"]


def test_a_file_of_the_wrong_kind_is_refused_instead_of_read_for_ever(saved):
    for name, make in ((TENSORS_FILE, os.mkfifo), (RUN_FILE, os.mkdir)):
        kept = (saved / name).read_bytes()
        (saved / name).unlink()
        make(saved / name)
        with pytest.raises(CheckpointError, match="no regular file"):
            read_checkpoint(saved)
        (saved / name).unlink() if make is os.mkfifo else (saved / name).rmdir()
        (saved / name).write_bytes(kept)
    (saved / TENSORS_FILE).unlink()
    (saved / TENSORS_FILE).symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_checkpoint(saved)


def test_a_run_file_larger_than_any_run_is_not_read(saved):
    with (saved / RUN_FILE).open("r+b") as file:
        file.truncate(LONGEST_RUN + 1)
    with pytest.raises(CheckpointError, match="bytes are no run's data"):
        read_checkpoint(saved)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_tensor_named_like_a_path_out_of_the_folder_is_refused(tmp_path, name):
    entry = f'{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}'.encode()
    with pytest.raises(CheckpointError, match="holds a tensor named"):
        read_checkpoint(forge(tmp_path / "a", header(entry) + b"1234"))


def resumed(folder, logger, change):
    """Fit, change what the checkpoint says as somebody would who can compute sums, and resume."""

    def fit(**arguments):
        saves = ModelCheckpoint(folder / "ckpt", filename="a", save_top_k=-1)
        saving = {"enable_checkpointing": True, "callbacks": [saves], "logger": logger()}
        trainer = Trainer(**quiet(max_epochs=2, default_root_dir=folder, **saving))
        trainer.fit(BoringTask(), **arguments)
        return trainer

    fit()
    path = folder / "ckpt" / "a.ckpt"
    run = read_run(path)
    change(run)
    run = {k: v for k, v in run.items() if k not in ("format", "sha256", "sha256_above")}
    forge(path, (path / TENSORS_FILE).read_bytes(), json.dumps(run).encode()[:-1] + b", }")
    return fit(ckpt_path=path)


@pytest.mark.parametrize("name", [pytest.param("..", marks=pytest.mark.slow), "../elsewhere"])
def test_a_run_folder_outside_the_runs_is_not_taken_up(tmp_path, name):
    (tmp_path / "in" / "elsewhere").mkdir(parents=True)

    def forged(run):
        [[_, folder]] = run["loggers"]
        run["loggers"][0][1] = os.path.join(os.path.dirname(folder), name)

    trainer = resumed(tmp_path / "in", CSVLogger, forged)
    assert trainer.log_dir == str(tmp_path / "in" / "runs" / "version_1")
    assert os.listdir(tmp_path) == ["in"]
    assert sorted(os.listdir(tmp_path / "in")) == ["ckpt", "elsewhere", "runs"]


@pytest.mark.parametrize("run_id", ["../../up", "/etc", "..", 7])
def test_a_run_of_wandb_that_names_another_folder_is_refused(tmp_path, run_id):
    def forged(run):
        run["loggers"][0][1] = run_id

    with pytest.raises(CheckpointError, match="WandbLogger cannot go on with run"):
        resumed(tmp_path, lambda: WandbLogger("digits", mode="disabled"), forged)


def test_books_that_name_other_folders_delete_nothing_there(tmp_path):
    others = [tmp_path / "mine.ckpt", tmp_path / "ckpt" / "deep" / "mine.ckpt"]
    for other in others:
        other.mkdir(parents=True)
    paths = [*map(str, others), str(tmp_path / "ckpt" / ".." / "mine.ckpt")]

    def forged(run):
        [state] = [s for k, s in run["callbacks"].items() if k.startswith("ModelCheckpoint")]
        state.update(going=paths, interim=paths[0], saved_step=0)
        run["progress"].update(epoch=0, batch=0, global_step=0)

    trainer = resumed(tmp_path, lambda: False, forged)
    assert trainer.global_step > 0
    assert all(other.is_dir() for other in others)
