"""Arrays in states: of the task, of its data and of callbacks, among a checkpoint's tensors."""

import json
import os
import stat

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, fitted, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.checkpoint.io import read_run
from lightning_tf.checkpoint.state_arrays import put_arrays, take_arrays
from lightning_tf.exceptions import CheckpointError


def test_arrays_of_every_kind_come_back_and_the_rest_is_text():
    state = {
        "buffer": np.arange(6, dtype="uint8").reshape(2, 3),
        "nested": [{"a/b": tf.ones([2])}, {"a b": keras.Variable([1.0])}, (np.zeros((0, 2)),)],
        "half": tf.constant([1.5], tf.bfloat16),
        "flags": np.array([True, False])[::-1],
        "a.b": np.zeros(1),
        "a": {"b": np.ones(1)},
        "step": 3,
    }
    plain, arrays = take_arrays("task", state)
    json.dumps(plain)
    assert len(arrays) == 8
    assert not any("/" in name for name in arrays)
    again = put_arrays(json.loads(json.dumps(plain)), arrays)
    np.testing.assert_array_equal(again["buffer"], state["buffer"])
    assert again["buffer"].dtype == np.uint8
    assert again["nested"][0]["a/b"].tolist() == [1, 1]
    assert again["nested"][2][0].shape == (0, 2)
    assert again["half"].tolist() == [1.5]
    assert (again["a.b"].tolist(), again["a"]["b"].tolist(), again["step"]) == ([0], [1], 3)


def test_the_copy_does_not_follow_its_owner():
    buffer = np.zeros(3)
    plain, arrays = take_arrays("task", {"buffer": buffer})
    buffer[:] = 1
    assert put_arrays(plain, arrays)["buffer"].tolist() == [0, 0, 0]


class Curriculum(NumberData):
    """Its examples grow with a level that an epoch's end raises."""

    def __init__(self, values):
        super().__init__(values)
        self.level, self.seen, self.calls = 1, np.zeros(4), []

    def setup(self, stage):
        self.calls.append("setup")

    def train_dataset(self, epoch):
        return super().train_dataset(epoch).map(lambda *batch: tf.nest.map_structure(
            lambda x: x * self.level, batch if len(batch) > 1 else batch[0]))  # fmt: skip

    def state_dict(self):
        return {"level": self.level, "seen": self.seen}

    def load_state_dict(self, state):
        self.calls.append("load_state_dict")
        self.level, self.seen = state["level"], state["seen"]


class Replay(NumberTask):
    """Keeps a buffer of arrays, and raises the level of its data."""

    buffer = None

    def on_train_epoch_end(self):
        self.buffer = np.append(
            np.zeros(0) if self.buffer is None else self.buffer, self.data.level
        )
        self.data.level += 1
        self.data.seen += self.data.level

    def state_dict(self):
        return {} if self.buffer is None else {"buffer": self.buffer}

    def load_state_dict(self, state):
        self.buffer = state["buffer"]


class Remembers(Callback):
    def __init__(self):
        self.weights = np.zeros(2)

    def on_train_epoch_end(self, trainer, task):
        self.weights += 1

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state):
        self.weights = state["weights"]


def test_a_buffer_a_curriculum_and_a_callback_are_resumed(tmp_path):
    whole = Replay(Curriculum([1, 2, 3]))
    fitted(whole, max_epochs=4, callbacks=[Remembers()])

    fitted(Replay(Curriculum([1, 2, 3])), max_epochs=2, callbacks=[Remembers()]).save_checkpoint(
        tmp_path / "c"
    )
    assert read_run(tmp_path / "c")["data_state"]["level"] == 3
    task, callback = Replay(Curriculum([1, 2, 3])), Remembers()
    Trainer(**quiet(max_epochs=4, callbacks=[callback])).fit(task, ckpt_path=tmp_path / "c")
    np.testing.assert_array_equal(task.weight, whole.weight)
    assert task.buffer.tolist() == whole.buffer.tolist() == [1, 2, 3, 4]
    assert (task.data.level, task.data.seen.tolist()) == (5, whole.data.seen.tolist())
    assert task.data.calls == ["load_state_dict", "setup"]
    assert callback.weights.tolist() == [4, 4]


def test_a_new_run_with_old_weights_begins_its_data_anew(tmp_path):
    fitted(Replay(Curriculum([1])), max_epochs=2).save_checkpoint(tmp_path / "c")
    task = Replay(Curriculum([1]))
    Trainer(**quiet(max_epochs=1)).fit(task, ckpt_path=tmp_path / "c", weights_only=True)
    assert task.data.level == 2
    again = Replay.from_checkpoint(tmp_path / "c", data=Curriculum([1]))
    assert (again.data.level, again.buffer.tolist()) == (3, [1, 2])


def test_data_that_cannot_take_their_state_say_so(tmp_path):
    fitted(Replay(Curriculum([1])), max_epochs=1).save_checkpoint(tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"NumberData has no load_state_dict.* level, seen"):
        Trainer(**quiet(max_epochs=2)).fit(Replay(NumberData([1])), ckpt_path=tmp_path / "c")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_who_may_read_a_checkpoint_is_what_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        fitted(NumberTask(NumberData([1])), max_steps=1).save_checkpoint(tmp_path / "c")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "c").iterdir()}
    assert modes == {0o640}
