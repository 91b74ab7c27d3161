"""verify: a run is trained again between its checkpoints, and every bit is compared."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EMA, EarlyStopping, ModelCheckpoint
from lightning_tf.checkpoint.io import Snapshot, read_checkpoint, write_checkpoint
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.run.verification import tensor_differences
from lightning_tf.run.verified_checkpoints import checkpoints_between


class Dropped(BoringTask):
    """Draws masks, so that its numbers depend on generators."""

    def configure_model(self):
        self.model = keras.Sequential(
            [keras.Input((32,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
        )


def trainer(folder=None, callbacks=(), **arguments):
    saves = [] if folder is None else [ModelCheckpoint(folder, save_top_k=-1, **arguments)]
    return Trainer(**quiet(max_epochs=3, seed=1, callbacks=[*callbacks, *saves], **{
        "enable_checkpointing": bool(saves)}))  # fmt: skip


def trained(folder, make=Dropped, callbacks=lambda: (), **arguments):
    trainer(folder, callbacks(), **arguments).fit(make())
    return sorted(folder.iterdir(), key=lambda path: read_checkpoint(path).run["saved_at"])


def sums(folder):
    return {p: hashlib.sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


def test_a_run_with_all_its_callbacks_is_reproduced_from_its_beginning_and_from_inside(tmp_path):
    def callbacks():
        return EMA(0.9), EarlyStopping("val_loss", patience=9)

    paths = trained(tmp_path / "c", callbacks=callbacks, every_n_train_steps=3)
    before = sums(tmp_path)
    for start, ends in ((None, paths), (paths[1], paths[2:])):
        found = trainer(tmp_path / "c", callbacks()).verify(Dropped(), start, ends)
        assert found.is_exact, str(found)
        assert list(found.compared) == [str(path) for path in ends]
    assert "reproduced:" in str(found)
    assert sums(tmp_path) == before


def test_the_first_checkpoint_and_the_tensors_that_differ_are_named(tmp_path):
    first, second, third = trained(tmp_path / "c")
    was = read_checkpoint(second)
    kernel = next(name for name in was.tensors if name.endswith("kernel"))
    was.tensors[kernel] = was.tensors[kernel].copy()
    was.tensors[kernel][0, 0] = np.nextafter(was.tensors[kernel][0, 0], np.float32(9))
    run = {k: v for k, v in was.run.items() if k not in ("format", "sha256", "sha256_above")}
    write_checkpoint(second, Snapshot(was.tensors, json.dumps(run)))
    found = trainer().verify(Dropped(), first, [third, second])
    assert not found.is_exact
    assert found.first_different == str(second)
    assert [(d.name, d.numbers) for d in found.compared[str(second)]] == [(kernel, 1)]
    assert found.compared[str(third)] == []
    assert "differ from the checkpoint in the same way" in str(found)


def test_what_draws_without_the_seed_is_found(tmp_path):
    class Unseeded(BoringTask):
        def training_step(self, batch):
            draw = tf.numpy_function(lambda: np.float32(np.random.default_rng().random()), [],
                                     tf.float32)  # fmt: skip
            return super().training_step(batch) * tf.ensure_shape(draw, [])

    first, second, _ = trained(tmp_path / "c", Unseeded)
    found = trainer().verify(Unseeded(), first, second)
    assert "two trainings here differ from each other" in found.reasons[-1]
    assert any("calls Python" in reason for reason in found.reasons)


@pytest.mark.slow
def test_another_argument_of_the_trainer_is_a_reason(tmp_path):
    first, second, _ = trained(tmp_path / "c")
    other = Trainer(**quiet(max_epochs=3, seed=1, gradient_clip_val=0.01))
    found = other.verify(Dropped(), first, second)
    assert "Trainer(gradient_clip_val) was None and is 0.01" in found.reasons


@pytest.mark.slow
def test_what_training_does_not_reach_is_said(tmp_path):
    first, _, third = trained(tmp_path / "c")
    short = Trainer(**quiet(max_epochs=2, seed=1))
    found = short.verify(Dropped(), first, third)
    assert not found.is_exact
    assert found.unreached == {str(third): "training ended at update 8"}


def test_what_cannot_be_verified_is_refused(tmp_path):
    first, second, _ = trained(tmp_path / "c")
    with pytest.raises(CheckpointError, match="not later than"):
        trainer().verify(Dropped(), second, first)
    with pytest.raises(ConfigurationError, match="has no seed"):
        Trainer(**quiet(max_epochs=3)).verify(Dropped(), None, first)
    worked = Dropped()
    Trainer(**quiet(max_epochs=1)).fit(worked)
    with pytest.raises(ConfigurationError, match="have worked already"):
        trainer().verify(worked, None, first)
    used = trainer()
    used.fit(Dropped())
    used.save_checkpoint(tmp_path / "weights", weights_only=True)
    with pytest.raises(CheckpointError, match="weights only"):
        trainer().verify(Dropped(), first, tmp_path / "weights")


@pytest.mark.slow
def test_the_trainer_is_as_before(tmp_path):
    first, second, _ = trained(tmp_path / "c")
    watcher = Callback()
    again = trainer(tmp_path / "d", [watcher])
    kept = list(again.callbacks), again.loggers, again.default_root_dir
    again.verify(Dropped(), first, second)
    assert (list(again.callbacks), again.loggers, again.default_root_dir) == kept
    assert not (tmp_path / "d").exists()


def test_the_checkpoints_of_a_run_are_the_oldest_and_all_later_ones(tmp_path):
    paths = trained(tmp_path / "checkpoints")
    names = [str(path) for path in paths]
    assert checkpoints_between(tmp_path) == (names[0], names[1:])
    assert checkpoints_between(tmp_path, end=paths[1]) == (names[0], names[1:2])
    assert checkpoints_between(tmp_path, start=paths[1]) == (paths[1], names[2:])
    with pytest.raises(CheckpointError, match="no checkpoint later than"):
        checkpoints_between(tmp_path, start=paths[2])
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        checkpoints_between(tmp_path / "nothing")


def test_a_single_checkpoint_is_compared_with_the_beginning(tmp_path):
    trainer(tmp_path / "checkpoints").fit(BoringTask(BoringData()))
    for path in sorted(Path(tmp_path / "checkpoints").iterdir())[:-1]:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    start, ends = checkpoints_between(tmp_path)
    assert start is None
    assert trainer().verify(BoringTask(), start, ends).is_exact


def test_bits_are_compared_rather_than_numbers():
    nan, zero = np.float32([np.nan, 0.0]), np.float32([np.nan, -0.0])
    assert tensor_differences({"a": nan}, {"a": nan.copy()}) == []
    (found,) = tensor_differences({"a": nan}, {"a": zero})
    assert (found.numbers, found.largest) == (1, 0.0)
    (found,) = tensor_differences({}, {"a": zero})
    assert (found.numbers, found.largest) == (2, None)
    (found,) = tensor_differences({"a": np.zeros(2)}, {"a": np.zeros(3)})
    assert str(found) == "a: 3 of 3 numbers"
    assert tensor_differences({"a": np.zeros((0, 2))}, {"a": np.zeros((0, 2))}) == []
