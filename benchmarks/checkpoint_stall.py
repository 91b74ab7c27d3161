"""What a save of 100 MB costs: how long training stalls, and how long the whole save takes.

    python benchmarks/checkpoint_stall.py [--runs 9] [--write] [--check] [--quick]

Stall: the time that the loop spends in the callback that saves, without waiting for the save
before, and the time by which the next update is slower than one after the save, because TensorFlow
then copies what the save still holds. It is compared with a plain copy of the same bytes to host
memory; the disk is written in the background meanwhile. Whole save: the time until the checkpoint
has its final name, is hashed and fsynced, and the one before is deleted. It is compared with these
bytes written to one file of the same folder, fsynced and deleted. Each round measures all four.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.callbacks import ModelCheckpoint

MEGABYTES, PARTS = 100, 20


class Ones(DataModule):
    """Batches of one number, without end."""

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return ones."""
        return tf.data.Dataset.from_tensors([1.0]).repeat()


class Heavy(Task):
    """One weight that trains, and 100 MB that a checkpoint holds."""

    def __init__(self) -> None:
        self.data = Ones(batch_size=1)

    def configure_model(self) -> None:
        """Make plain variables."""
        self.weight = keras.Variable(0.0)
        shape = (MEGABYTES * 10**6 // 4 // PARTS,)
        ones = np.ones(shape, "float32")
        self.ballast = [keras.Variable(ones, trainable=False) for _ in range(PARTS)]

    def configure_optimizers(self) -> keras.Optimizer:
        """Return an optimizer without slots."""
        return keras.optimizers.SGD(0.01)

    def training_step(self, batch: tf.Tensor) -> tf.Tensor:
        """Return any loss."""
        return tf.reduce_mean(batch) * self.weight


class TimedCheckpoint(ModelCheckpoint):
    """Times each save, and a plain copy and a plain write before it."""

    def __init__(self, folder: str, runs: int) -> None:
        super().__init__(folder, every_n_train_steps=1, save_top_k=1)
        self.runs_left = runs
        self.copies: list[float] = []
        self.writes: list[float] = []
        self.stalls: list[float] = []
        self.saves: list[float] = []

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Copy, save, wait."""
        start = time.perf_counter()
        copies = [variable.value.numpy() for variable in task.ballast]
        copied = time.perf_counter()
        self.writes.append(plain_write(Path(self.dirpath or "."), copies))
        del copies
        restarted = time.perf_counter()
        super().on_train_window_end(trainer, task)
        stalled = time.perf_counter()
        updated_while_held = update(task)
        self._manager.wait()
        saved = time.perf_counter()
        copied_late = max(0.0, updated_while_held - update(task))
        self.copies.append(copied - start)
        self.stalls.append(stalled - restarted + copied_late)
        self.saves.append(saved - restarted)
        self.runs_left -= 1
        if not self.runs_left:
            trainer.request_stop("measured")


def update(task: Task) -> float:
    """Return the seconds that adding to all variables takes."""
    start = time.perf_counter()
    for variable in task.ballast:
        variable.assign_add(tf.ones_like(variable.value))
    return time.perf_counter() - start


def plain_write(folder: Path, arrays: list[np.ndarray]) -> float:
    """Return the seconds that writing arrays to one file and deleting it takes."""
    folder.mkdir(exist_ok=True)
    path = folder / "plain"
    start = time.perf_counter()
    with path.open("wb") as file:
        for array in arrays:
            file.write(array.data)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    return time.perf_counter() - start


def main() -> None:
    """Measure and report."""
    options = measure.arguments(__doc__.splitlines()[0], runs=9)
    options.runs = 3 if options.quick else options.runs
    with measure.trainer_folder() as folder:
        timed = TimedCheckpoint(folder, options.runs)
        trainer = Trainer(
            max_steps=10_000,
            callbacks=[timed],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Heavy())
    columns = (timed.copies, timed.stalls, timed.writes, timed.saves)
    copy, stall, write, save = (1000 * statistics.median(column) for column in columns)
    header = ["plain copy (ms)", "stall (ms)", "plain write (ms)", "whole save (ms)"]
    row = [f"{milliseconds:.0f}" for milliseconds in (copy, stall, write, save)]
    targets = [
        measure.Target("stall to a plain copy", stall / copy, at_most=2.0),
        measure.Target("whole save to a plain write", save / write, at_most=1.5),
    ]
    measure.report("checkpoint_stall", measure.table(header, [row]), targets, options)


if __name__ == "__main__":
    main()
