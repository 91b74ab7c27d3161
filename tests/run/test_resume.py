"""Whole runs: resumed from every checkpoint, killed, with a disk that refuses."""

import json
import logging
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Recorder, Rows, quiet
from helpers.paths import ROOT

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import EarlyStopping, ModelCheckpoint
from lightning_tf.checkpoint.io import read_checkpoint, read_run


class Seen(NumberTask):
    """Sums what it sees, and 2 to the power of each number: no number twice, none left out."""

    def __init__(self):
        data = NumberData(range(10), batch_size=3, shuffled=True, held_out=[1, 2, 3])
        super().__init__(data, keras.optimizers.Adam(0.1))

    def configure_metrics(self):
        return {"seen": keras.metrics.Sum()}

    def training_step(self, batch):
        self.update_metrics(batch, 2.0**batch)
        return super().training_step(batch)

    def update_metrics(self, y_true, y_pred, sample_weight=None):
        self.metrics["seen"].update_state(y_pred)


def run(root, ckpt_path=None, **arguments):
    rows, recorder = Rows(), Recorder()
    saves = ModelCheckpoint(save_top_k=-1, every_n_train_steps=1)
    defaults = {
        "max_epochs": 4,
        "val_check_interval": 2,
        "log_every_n_steps": 1,
        "callbacks": [recorder, saves],
        "logger": rows,
        "default_root_dir": root,
        "enable_checkpointing": True,
        "seed": 1,
    }
    trainer = Trainer(**{**quiet(), **defaults, **arguments})
    trainer.fit(Seen(), ckpt_path=ckpt_path)
    return trainer, rows, recorder


def by_step(rows):
    """All values of a step in one row, as a table has them."""
    table = {}
    for step, row in rows.rows:
        table.setdefault(step, {}).update(row)
    return table


@pytest.mark.parametrize("accumulate", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_resume_from_each_checkpoint_of_a_run_gives_the_rest_of_it(tmp_path, accumulate):
    arguments = {"accumulate_grad_batches": accumulate}
    whole, rows, _ = run(tmp_path / "whole", **arguments)
    every = sorted((tmp_path / "whole" / "checkpoints").iterdir())
    assert len(every) == whole.global_step == {1: 16, 3: 8}[accumulate]
    for path in every:
        step = read_run(path)["progress"]["global_step"]
        again, late, hooks = run(tmp_path / path.name, path, **arguments)
        assert float(again.task.weight) == float(whole.task.weight), path.name
        assert again.callback_metrics == whole.callback_metrics, path.name
        expected = {s: row for s, row in by_step(rows).items() if s > step}
        assert {s: row for s, row in by_step(late).items() if s > step} == expected, path.name
        assert "on_sanity_check_start" not in hooks.names
        # Of the epoch's 10 numbers none was seen twice or missed, whatever the batch.
        epochs = [row["train/seen_epoch"] for _, row in late.rows if "train/seen_epoch" in row]
        assert epochs
        assert set(epochs) == {2.0**10 - 1}


@pytest.mark.slow
def test_validation_runs_exactly_once_where_it_is_due(tmp_path):
    _, rows, _ = run(tmp_path / "whole")
    due = [step for step, row in rows.rows if "val/loss" in row]
    assert due == [2, 4, 6, 8, 10, 12, 14, 16]
    for path in (tmp_path / "whole" / "checkpoints").iterdir():
        step = read_run(path)["progress"]["global_step"]
        _, late, _ = run(tmp_path / path.name, path)
        # The checkpoint of update n is written before the validation of update n.
        assert [s for s, row in late.rows if "val/loss" in row] == [s for s in due if s >= step]


@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_the_metrics_of_an_epoch_are_whole_where_it_ended_before_the_kill(tmp_path, precision):
    arguments = {"max_epochs": 1, "precision": precision}
    _, rows, _ = run(tmp_path / "whole", **arguments)
    path = tmp_path / "whole" / "checkpoints" / "epoch=0-step=4.ckpt"
    _, late, _ = run(tmp_path / "again", path, **arguments)
    expected = {name: v for s, row in rows.rows for name, v in row.items() if "epoch" in name}
    got = {name: v for s, row in late.rows for name, v in row.items() if "epoch" in name}
    assert got == expected
    assert got["train/seen_epoch"] == 2.0**10 - 1
    assert ("train/skipped_updates_epoch" in got) == (precision == "mixed_float16")


def test_early_stopping_resumes_with_its_patience_half_used(tmp_path):
    class Worse(NumberTask):
        def validation_step(self, batch):
            return -self.weight

    def stopped(root, epochs, ckpt_path=None):
        stops = EarlyStopping("val_loss", patience=3)
        saves = {"enable_checkpointing": True, "default_root_dir": root}
        trainer = Trainer(**{**quiet(max_epochs=epochs), **saves, "callbacks": [stops]})
        trainer.fit(Worse(NumberData([1], held_out=[1])), ckpt_path=ckpt_path)
        return trainer.current_epoch

    assert stopped(tmp_path, 2) == 2
    assert stopped(tmp_path, 20, "last") == 4


@pytest.mark.slow
def test_layers_that_were_thawed_between_epochs_resume_with_their_slots(tmp_path):
    class Thaws(BoringTask):
        def configure_model(self):
            self.body, self.head = keras.layers.Dense(8), keras.layers.Dense(2)
            self.model = keras.Sequential([keras.Input((32,)), self.body, self.head])

        def configure_optimizers(self):
            return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, 16))

        def on_train_epoch_start(self):
            self.body.trainable = self.trainer.current_epoch >= 2

    def ends(root, epochs, ckpt_path=None):
        saves = {"enable_checkpointing": True, "default_root_dir": root, "seed": 4}
        trainer = Trainer(**{**quiet(max_epochs=epochs), **saves})
        task = Thaws()
        trainer.fit(task, ckpt_path=ckpt_path)
        return [np.asarray(weight).tobytes() for weight in task.model.weights]

    whole = ends(tmp_path / "whole", 4)
    for epochs in (1, 3):
        root = tmp_path / str(epochs)
        assert ends(root, epochs) != whole
        assert ends(root, 4, "last") == whole


def test_an_optimizer_that_averages_weights_resumes(tmp_path):
    class Averages(BoringTask):
        def configure_optimizers(self):
            return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)

    def averages(root, steps, ckpt_path=None):
        trainer = Trainer(**quiet(max_steps=steps, seed=0))
        task = Averages()
        trainer.fit(task, ckpt_path=ckpt_path)
        trainer.save_checkpoint(root)
        return [np.asarray(v).tobytes() for v in trainer.optimizers[""].variables]

    whole = averages(tmp_path / "whole", 10)
    averages(tmp_path / "half", 5)
    assert averages(tmp_path / "again", 10, tmp_path / "half") == whole


def test_what_keras_draws_without_a_seed_resumes(tmp_path):
    class Noisy(NumberTask):
        def training_step(self, batch):
            return super().training_step(batch + keras.random.normal(tf.shape(batch)))

    def weight(root, steps, ckpt_path=None):
        trainer = Trainer(**quiet(max_steps=steps, seed=0))
        task = Noisy(NumberData(range(8)))
        trainer.fit(task, ckpt_path=ckpt_path)
        trainer.save_checkpoint(root)
        return float(task.weight)

    whole = weight(tmp_path / "whole", 8)
    half = weight(tmp_path / "half", 4)
    assert half == weight(tmp_path / "half", 4) != whole
    assert weight(tmp_path / "again", 8, tmp_path / "half") == whole


def test_what_tensorflow_draws_by_itself_is_warned_about(caplog):
    class Noisy(NumberTask):
        def training_step(self, batch):
            return super().training_step(batch + tf.random.normal(tf.shape(batch)))

    with caplog.at_level(logging.WARNING, "lightning_tf"):
        Trainer(**quiet(max_steps=1)).fit(Noisy(NumberData([1])))
    assert "draws with RandomStandardNormal" in caplog.text


def test_what_a_user_draws_on_the_host_goes_on_where_it_was(tmp_path):
    class Draws(Callback):
        def __init__(self):
            self.drawn = []

        def on_train_epoch_end(self, trainer, task):
            self.drawn.append(float(np.random.normal()))

    def drawn(root, epochs, ckpt_path=None):
        draws = Draws()
        saves = {"enable_checkpointing": True, "default_root_dir": root, "seed": 4}
        Trainer(**{**quiet(max_epochs=epochs), **saves, "callbacks": [draws]}).fit(
            BoringTask(), ckpt_path=ckpt_path
        )
        return draws.drawn

    whole = drawn(tmp_path / "whole", 3)
    assert drawn(tmp_path / "half", 2) == whole[:2]
    assert drawn(tmp_path / "half", 3, "last") == whole[2:]


def test_a_resume_of_a_run_that_is_over_changes_nothing(tmp_path):
    first, _, _ = run(tmp_path)
    again, rows, _ = run(tmp_path, "last")
    assert again.global_step == first.global_step == 16
    assert float(again.task.weight) == float(first.task.weight)
    assert not [row for step, row in rows.rows if "train/loss" in row]


# ---- other processes


def python(code, *arguments, **options):
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, **options
    )


KILLS = """
import sys, random, kill_test
random.seed(3)
counts = kill_test.kill_test(sys.argv[1], int(sys.argv[2]))
print(counts.kills, counts.failures, counts.differences)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("task", "kills"), [("two_optimizers", 1), ("classifier", 10)])
def test_a_run_killed_and_resumed_is_the_run_never_killed(task, kills):
    done = python(KILLS, task, kills)
    assert done.stdout.splitlines()[-1:] == [f"{kills} [] []"], done.stderr


FULL = """
import json, resource, sys, threading
from helpers.boring import BoringTask
from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.exceptions import CheckpointError

class Fills(Callback):
    def on_train_epoch_start(self, trainer, task):
        for thread in threading.enumerate():
            if thread.name == "checkpoint":
                thread.join()  # the epoch before is saved under its own limit
        full = trainer.current_epoch in json.loads(sys.argv[2])
        limit = 100 if full else resource.RLIM_INFINITY  # bytes a file may have
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

saves = ModelCheckpoint(sys.argv[1], save_top_k=-1)
trainer = Trainer(max_epochs=4, logger=False, callbacks=[Fills(), saves],
                  enable_progress_bar=False, enable_model_summary=False)
try:
    trainer.fit(BoringTask())
except CheckpointError as error:
    print("raised", error)
print("updates", trainer.global_step)
"""


@pytest.mark.slow
@pytest.mark.parametrize("full", [[1, 2], [3]])
def test_a_full_disk_costs_no_training_and_no_older_checkpoint(tmp_path, full):
    done = python(FULL, tmp_path, json.dumps(full))
    assert "updates 16" in done.stdout, done.stderr
    assert done.stderr.count("a checkpoint could not be written in") == len(full)
    assert ("raised the last checkpoint could not be written" in done.stdout) == (3 in full)
    left = sorted(path.name for path in tmp_path.iterdir())
    expected = [f"epoch={e}-step={4 * e + 4}.ckpt" for e in range(4) if e not in full]
    assert left == expected
    for name in left:
        read_checkpoint(tmp_path / name)


class FolderGoes(Callback):
    """Somebody deletes the folder of the checkpoints at the start of an epoch."""

    def __init__(self, saves, epoch):
        self.saves, self.epoch = saves, epoch

    def on_train_epoch_start(self, trainer, task):
        if trainer.current_epoch == self.epoch:
            assert self.saves.best_model_path  # asking waits for the save under way
            shutil.rmtree(self.saves.dirpath)


def test_a_folder_of_checkpoints_that_goes_away_is_made_again(tmp_path):
    folder = tmp_path / "ckpt"
    saves = ModelCheckpoint(folder, save_top_k=-1)
    arguments = {"enable_checkpointing": True, "callbacks": [saves, FolderGoes(saves, 2)]}
    trainer = Trainer(**quiet(max_epochs=4, default_root_dir=tmp_path, **arguments))
    trainer.fit(BoringTask())
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["epoch=2-step=12.ckpt", "epoch=3-step=16.ckpt"]
    for name in left:
        read_checkpoint(folder / name)
