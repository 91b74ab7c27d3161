import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.paths import SEARCHED

from lightning_tf import Trainer
from lightning_tf.checkpoint.io import (
    RUN_FILE,
    TENSORS_FILE,
    Snapshot,
    assign_tensors,
    read_checkpoint,
    read_values,
    write_checkpoint,
)
from lightning_tf.exceptions import CheckpointError, ConfigurationError

FRESH = """
import json, sys
from test_io import run
print(json.dumps(run(*json.loads(sys.argv[1]))))
"""


def run(steps, resumed_from, saved_as, accumulate, length):
    """Train to a number of updates; return weights bit by bit, the rows after update 9, metrics."""
    rows = Rows()
    trainer = Trainer(
        **quiet(
            max_steps=steps,
            accumulate_grad_batches=accumulate,
            seed=3,
            logger=rows,
            log_every_n_steps=2,
        )
    )
    task = Shuffled(length)
    trainer.fit(task, ckpt_path=resumed_from)
    trainer.save_checkpoint(saved_as)
    weights = [np.asarray(weight).tobytes().hex() for weight in task.model.get_weights()]
    late = [[step, row] for step, row in rows.rows if step > 9]
    return [weights, late, trainer.callback_metrics]


class Shuffled(BoringTask):
    """Everything that a resumed run could get wrong: order, dropout, slots, schedule, metrics."""

    def __init__(self, length="known"):
        super().__init__(ShuffledData(length))

    def configure_model(self):
        layers = [keras.layers.Dense(8), keras.layers.BatchNormalization()]
        layers += [keras.layers.Dropout(0.5), keras.layers.Dense(2)]
        self.model = keras.Sequential([keras.Input((4,)), *layers])

    def configure_optimizers(self):
        return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.05, 30))

    def validation_step(self, batch):
        x, y = batch
        logits = self.model(x, training=False)
        self.update_metrics(y, logits)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return tf.reduce_mean(losses)


class ShuffledData(NumberData):
    def __init__(self, length):
        super().__init__(np.random.default_rng(0).normal(size=(30, 4)), 4, length, shuffled=True)

    def train_dataset(self, epoch):
        return super().train_dataset(epoch).map(labeled)

    def val_dataset(self):
        return tf.data.Dataset.from_tensor_slices(self.numbers).batch(8).map(labeled)


def labeled(x):
    return x, tf.cast(x[:, 0] > 0.0, tf.int32)


def variables():
    return {
        "kernel": keras.Variable(np.arange(6.0).reshape(2, 3), name="kernel"),
        "seed": tf.Variable(np.array([1, 2**32 - 1], "uint32"), trainable=False),
        "steps": tf.Variable(7, dtype="int64"),
        "half": keras.Variable(1.5, dtype="bfloat16"),
        "empty": keras.Variable(np.zeros((0, 3))),
    }


def numbers_of(some):
    return {name: np.asarray(keras.ops.cast(v, "float64")).tolist() for name, v in some.items()}


def test_variables_and_plain_data_come_back(tmp_path):
    written = variables()
    write_checkpoint(tmp_path / "a", Snapshot.of(written, {"epoch": 3, "nan": float("nan")}))
    checkpoint = read_checkpoint(tmp_path / "a")
    assert checkpoint.run["epoch"] == 3
    assert np.isnan(checkpoint.run["nan"])
    fresh = variables()
    for variable in fresh.values():
        variable.assign(np.zeros(variable.shape))
    assign_tensors(fresh, checkpoint.tensors, "a")
    assert numbers_of(fresh) == numbers_of(written)


def test_the_directory_holds_two_files_and_leaves_nothing_beside(tmp_path):
    for _ in range(2):
        write_checkpoint(tmp_path / "deep" / "a", Snapshot.of(variables(), {}))
    assert sorted(path.name for path in (tmp_path / "deep" / "a").iterdir()) == [
        "run.json",
        "state.safetensors",
    ]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]


def test_a_save_that_fails_touches_nothing(tmp_path):
    write_checkpoint(tmp_path / "a", Snapshot.of(variables(), {"epoch": 1}))
    with pytest.raises(TypeError):
        write_checkpoint(tmp_path / "a", Snapshot.of(variables(), {"epoch": object()}))
    run = read_checkpoint(tmp_path / "a").run
    assert run["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_rename_that_fails_leaves_a_whole_checkpoint(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "a", Snapshot.of(variables(), {"epoch": 1}))
    rename, calls = os.rename, []

    def second_fails(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise OSError("disk")
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(OSError, match="disk"):
        write_checkpoint(tmp_path / "a", Snapshot.of(variables(), {"epoch": 2}))
    run = read_checkpoint(tmp_path / "a").run
    assert run["epoch"] == 1


def test_a_file_in_the_way_is_not_deleted(tmp_path):
    (tmp_path / "a").write_text("precious")
    with pytest.raises(OSError, match="a"):
        write_checkpoint(tmp_path / "a", Snapshot.of(variables(), {}))
    assert (tmp_path / "a").read_text() == "precious"


def damage_tensors(folder):
    path = folder / TENSORS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def shorten_tensors(folder):
    path = folder / TENSORS_FILE
    path.write_bytes(path.read_bytes()[:-10])


def remove_tensors(folder):
    (folder / TENSORS_FILE).unlink()


def damage_run(folder):
    (folder / RUN_FILE).write_text('{"format": 1, ')


def remove_run(folder):
    (folder / RUN_FILE).unlink()


def age(folder):
    run = json.loads((folder / RUN_FILE).read_text())
    (folder / RUN_FILE).write_text(json.dumps({**run, "format": 99}))


def another_document(folder):
    (folder / RUN_FILE).write_text("[1, 2]")


@pytest.mark.parametrize(
    "harm",
    [
        damage_tensors,
        shorten_tensors,
        remove_tensors,
        damage_run,
        remove_run,
        age,
        another_document,
    ],
)
def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path, harm):
    write_checkpoint(tmp_path / "broken", Snapshot.of(variables(), {}))
    harm(tmp_path / "broken")
    with pytest.raises(CheckpointError, match="broken"):
        read_checkpoint(tmp_path / "broken")


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such directory"):
        read_checkpoint(tmp_path / "nowhere")


def test_nothing_moves_unless_everything_fits():
    first, second = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    tensors = {"first": np.array([9.0, 9.0]), "second": np.array([9.0, 9.0])}
    with pytest.raises(CheckpointError, match="second has shape"):
        assign_tensors({"first": first, "second": second}, tensors, "x")
    with pytest.raises(CheckpointError, match="does not hold third"):
        assign_tensors({"first": first, "third": second}, tensors, "x")
    assert np.asarray(first).tolist() == [1.0, 2.0]


# ---- a whole run


def run_fresh(tmp_path, *arguments):
    script = tmp_path / "fresh.py"
    script.write_text(FRESH)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), SEARCHED]),
    }
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(arguments)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accumulate", "length"),
    [(3, "known"), (1, "unknown")],
)
def test_a_run_resumed_in_a_fresh_process_equals_the_one_never_stopped(
    tmp_path, accumulate, length
):
    # 8 batches an epoch: 10 updates end inside an epoch, of 1 batch an update and of 3.
    whole = run(19, None, str(tmp_path / "whole"), accumulate, length)
    half = run(10, None, str(tmp_path / "half"), accumulate, length)
    assert half[0] != whole[0]
    again = run_fresh(
        tmp_path, 19, str(tmp_path / "half"), str(tmp_path / "again"), accumulate, length
    )
    late = [[step, row] for step, row in whole[1] if step > 10]
    assert again[0] == whole[0], "weights"
    assert again[1] == late, "rows"
    assert again[2] == whole[2], "metrics"


def weights_of(task):
    return [np.asarray(weight).tolist() for weight in task.model.get_weights()]


def test_a_resume_by_the_same_trainer_goes_back_to_the_checkpoint(tmp_path):
    first = Shuffled()
    trainer = fitted(first, max_steps=5, seed=3)
    trainer.save_checkpoint(tmp_path / "five")
    trainer.max_steps = 14
    trainer.fit(first)
    expected, metrics = weights_of(first), dict(trainer.callback_metrics)
    trainer.fit(first, ckpt_path=tmp_path / "five")
    assert trainer.resumed
    assert weights_of(first) == expected
    assert trainer.global_step == 14
    assert trainer.callback_metrics == metrics


def test_a_metric_that_makes_its_variables_late_is_resumed_inside_an_epoch(tmp_path):
    class Late(NumberTask):
        def configure_metrics(self):
            return {"f1": keras.metrics.F1Score(average="micro")}

        def training_step(self, batch):
            truth = tf.one_hot(tf.cast(batch, tf.int32), 2)
            self.update_metrics(truth, tf.one_hot(tf.zeros_like(batch, tf.int32), 2))
            return super().training_step(batch)

    numbers = [0, 0, 0, 0, 1, 1, 1, 1]
    fitted(Late(NumberData(numbers)), max_steps=4).save_checkpoint(tmp_path / "four")
    again = Trainer(**quiet(max_epochs=1))
    again.fit(Late(NumberData(numbers)), ckpt_path=tmp_path / "four")
    whole = fitted(Late(NumberData(numbers)), max_epochs=1)
    assert 0.4 < whole.callback_metrics["f1"] < 0.6
    assert again.callback_metrics == whole.callback_metrics


def test_a_limit_holds_in_a_resumed_epoch_of_unknown_length(tmp_path):
    def task():
        return NumberTask(NumberData([1] * 50, length="unknown"))

    trainer = fitted(task(), max_steps=4, limit_train_batches=10)
    trainer.save_checkpoint(tmp_path / "four")
    again = Trainer(**quiet(max_epochs=1, limit_train_batches=10))
    again.fit(task(), ckpt_path=tmp_path / "four")
    assert again.global_step == 10


def test_weights_only_serves_evaluation_and_is_refused_by_fit(tmp_path):
    task = NumberTask(NumberData([1, 2], held_out=[1]))
    fitted(task, max_epochs=1).save_checkpoint(tmp_path / "weights", weights_only=True)
    assert "optimizer" not in str(read_checkpoint(tmp_path / "weights").tensors.keys())
    fresh = NumberTask(NumberData([1, 2], held_out=[1]))
    Trainer(**quiet()).test(fresh, ckpt_path=tmp_path / "weights")
    assert float(fresh.weight) == -3.0
    with pytest.raises(CheckpointError, match="weights only"):
        Trainer(**quiet(max_epochs=2)).fit(fresh, ckpt_path=tmp_path / "weights")


@pytest.mark.parametrize("entry", ["validate", "test", "predict"])
def test_every_entry_point_takes_weights_from_a_checkpoint(tmp_path, entry):
    class Weighs(NumberTask):
        def predict_step(self, batch):
            return batch * self.weight

    fitted(Weighs(NumberData([2.0])), max_epochs=1).save_checkpoint(tmp_path / "a")
    fresh = Weighs(NumberData([2.0], held_out=[1.0]))
    list(getattr(Trainer(**quiet()), entry)(fresh, ckpt_path=tmp_path / "a"))
    assert float(fresh.weight) == -2.0


def test_a_checkpoint_of_another_task_is_refused_and_changes_nothing(tmp_path):
    fitted(BoringTask(), max_steps=1).save_checkpoint(tmp_path / "boring")
    task = NumberTask(NumberData([1]))
    with pytest.raises(CheckpointError, match="another task"):
        Trainer(**quiet(max_epochs=1)).fit(task, ckpt_path=tmp_path / "boring")
    assert float(task.weight) == 0.0


def test_a_checkpoint_holds_hyperparameters_settings_and_positions(tmp_path):
    fitted(NumberTask(NumberData([1, 2, 3])), max_steps=2, seed=5).save_checkpoint(tmp_path / "a")
    run = read_checkpoint(tmp_path / "a").run
    assert run["hparams"]["optimizer"] is None
    assert run["settings"]["max_steps"] == 2
    assert run["progress"]["global_step"] == 2
    assert run["progress"]["batch"] == 2
    assert run["task"].endswith("NumberTask")


def test_a_model_that_went_bad_is_not_saved(tmp_path):
    class Saves(NumberTask):
        def on_train_window_end(self):
            if self.trainer.global_step == 3:
                self.trainer.save_checkpoint(tmp_path / "good")

    task = Saves(NumberData([1, 2, np.nan]))
    with pytest.raises(FloatingPointError, match="at update 3"):
        fitted(task, max_epochs=1)
    assert not (tmp_path / "good").exists()


@pytest.mark.parametrize("name", ["last", "best"])
def test_last_and_best_need_a_callback_that_wrote_them(name):
    with pytest.raises(ConfigurationError, match=f"ckpt_path='{name}'"):
        Trainer(**quiet(max_epochs=1)).fit(NumberTask(NumberData([1])), ckpt_path=name)


def test_saving_before_any_entry_point_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="needs a task"):
        Trainer(**quiet()).save_checkpoint(tmp_path / "a")


def test_a_snapshot_stays_while_variables_move():
    dense, sparse = (tf.Variable(tf.ones((5, 2))) for _ in range(2))

    @tf.function
    def move():
        for _ in tf.range(3):
            dense.assign_add(tf.ones((5, 2)))
            sparse.scatter_add(tf.IndexedSlices(tf.ones((2, 2)), [1, 3]))

    held = read_values({"dense": dense, "sparse": sparse})
    for _ in range(2):
        move()
    assert all((array == 1.0).all() for array in held.values())
    assert float(dense[0, 0]) == float(sparse[1, 0]) == 7.0
    with pytest.raises(ValueError, match="read-only"):
        held["dense"][0, 0] = 2.0
