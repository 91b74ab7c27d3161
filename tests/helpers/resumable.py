"""A task with everything that a resume could get wrong, and checks that a resume is exact."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, Rows, fitted, quiet
from helpers.paths import ROOT, TESTS

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint
from lightning_tf.variables import all_variables

BATCHES = 8  # of an epoch


class ShuffledData(NumberData):
    """30 examples of 4 features in batches of 4, shuffled in every epoch."""

    def __init__(self):
        numbers = np.random.default_rng(0).normal(size=(30, 4))
        super().__init__(numbers, batch_size=4, shuffled=True, held_out=numbers)

    def train_dataset(self, epoch):
        return super().train_dataset(epoch).map(_labeled)

    def val_dataset(self):
        return super().val_dataset().map(_labeled)


def _labeled(x):
    return x, tf.cast(x[:, 0] > 0.0, tf.int32)


class TwoParts(BoringTask):
    """A backbone with BatchNormalization and Dropout below a head.

    ``rates`` is a float, a schedule, or a dict of them for the optimizers "backbone" and "head".
    """

    def __init__(self, rates=0.05):
        super().__init__(ShuffledData())
        self.rates = rates

    def configure_model(self):
        layers = keras.layers
        self.backbone = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(8, name="low"),
                layers.BatchNormalization(name="norm"),
                layers.Dense(8, activation="relu", name="high"),
                layers.Dropout(0.5),
            ],
            name="backbone",
        )
        self.head = layers.Dense(2, name="head")
        self.model = keras.Sequential([keras.Input((4,)), self.backbone, self.head])

    def configure_optimizers(self):
        if isinstance(self.rates, dict):
            return {name: keras.optimizers.Adam(rate) for name, rate in self.rates.items()}
        return keras.optimizers.AdamW(self.rates)

    def training_step(self, batch):
        loss = super().training_step(batch)
        return dict.fromkeys(self.rates, loss) if isinstance(self.rates, dict) else loss

    def validation_step(self, batch):
        x, y = batch
        logits = self.model(x, training=False)
        self.update_metrics(y, logits)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return tf.reduce_mean(losses)


def bits(variables):
    """Return the bytes of variables by name."""
    return {name: np.asarray(variable).tobytes() for name, variable in variables.items()}


def everything(trainer):
    """Return the state of a run: weights, slots, variables of callbacks, the latest metrics."""
    named = trainer.training.optimizers.items()
    return {
        "weights": bits(all_variables(trainer.task)),
        "optimizers": {name: bits(optimizer.state()) for name, optimizer in named},
        "callbacks": {c.state_key: bits(c.variables()) for c in trainer.callbacks},
        "metrics": dict(trainer.callback_metrics),
    }


def assert_resume_is_exact(tmp_path, make_task, make_callbacks, *, stop, end, **arguments):
    """Assert that a run stopped after `stop` updates and resumed equals a run of `end` updates.

    Returns:
        The Trainer of the uninterrupted run.
    """
    arguments = {"seed": 3, "log_every_n_steps": 2, "num_sanity_val_steps": 0, **arguments}

    def run(steps):
        rows = Rows()
        callbacks = [*make_callbacks(), rows]
        return rows, {"max_steps": steps, "callbacks": callbacks, **arguments}

    rows, options = run(end)
    whole = fitted(make_task(), **options)

    _, options = run(stop)
    fitted(make_task(), **options).save_checkpoint(tmp_path / "part")
    resumed_rows, options = run(end)
    again = resumed(make_task(), tmp_path / "part", **options)

    assert everything(again) == everything(whole)
    later = [(step, row) for step, row in rows.rows if step > stop]
    assert [(step, row) for step, row in resumed_rows.rows if step > stop] == later
    assert whole.global_step == end
    return whole


class Killed(Callback):
    """Kills its own process after an update, as the system does when memory runs out."""

    def __init__(self, step):
        self.every_n_steps = step

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            os.kill(os.getpid(), signal.SIGKILL)


def fit_until_killed(task, folder, every, killed, end):
    """Train with a checkpoint every few updates until the process is killed."""
    saved = ModelCheckpoint(every_n_train_steps=every, dirpath=folder, save_top_k=-1)
    fitted(
        task, max_steps=end, seed=3, callbacks=[saved, Killed(killed)], enable_checkpointing=True
    )


def assert_killed_run_is_exact(tmp_path, make_task, *arguments, every, killed, end):
    """Assert that a run killed in another process and resumed here equals one never killed.

    Args:
        tmp_path: For checkpoints.
        make_task: A function of a module of tests.
        *arguments: Its arguments, texts.
        every: Updates between checkpoints.
        killed: The last update of the other process.
        end: The last update of all.
    """
    module = Path(inspect.getsourcefile(make_task))
    folders = [str(TESTS), str(module.parent)]
    program = (
        f"import sys; sys.path[:0] = {folders!r}; import {module.stem} as tests; "
        "from helpers import resumable; "
        f"resumable.fit_until_killed(tests.{make_task.__name__}(*{arguments!r}), "
        f"{str(tmp_path / 'saved')!r}, {every}, {killed}, {end})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment)
    assert done.returncode == -signal.SIGKILL
    newest = max((tmp_path / "saved").glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    again = resumed(make_task(*arguments), newest, max_steps=end, seed=3)
    whole = fitted(make_task(*arguments), max_steps=end, seed=3)
    assert everything(again) == everything(whole)


def resumed(task, path, **arguments):
    """Fit a task quietly from a checkpoint and return the Trainer."""
    trainer = Trainer(**quiet(**arguments))
    trainer.fit(task, ckpt_path=path)
    return trainer
