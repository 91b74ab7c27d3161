"""Runs of workers that pause, hang, write slowly or differ; run by `on_workers`."""

from __future__ import annotations

import time

import keras
import numpy as np
import tensorflow as tf
from helpers.boring import BoringTask, fitted, quiet
from helpers.replica_tasks import FewData
from helpers.worker_cases import Announce

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks.checkpointing import checkpoint_manager
from lightning_tf.callbacks.checkpointing.model_checkpoint import ModelCheckpoint
from lightning_tf.data import Digits
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run import equal_workers
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables


class Sleeps(Callback):
    """Hangs in Python at an update, on one worker."""

    every_n_steps = 10

    def __init__(self, index):
        self.index = index

    def on_train_window_end(self, trainer, task):
        if trainer.workers.index == self.index and trainer.global_step == 20:
            time.sleep(1e6)


class OneMore(BoringTask):
    """Computes something that the other worker does not."""

    def training_step(self, batch):
        loss = super().training_step(batch)
        return loss if self.trainer.is_global_zero else tf.abs(loss)


class Rated(BoringTask):
    """Has an argument."""

    def __init__(self, rate, data):
        self.rate, self.data = rate, data

    def configure_optimizers(self):
        return keras.optimizers.SGD(self.rate)


def training(folder, **arguments):
    """Train on digits with dropout; return the weights."""
    trainer = Trainer(
        accelerator="cpu",
        seed=3,
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **{"max_steps": 80, "callbacks": [Announce()], **arguments},
    )
    task = ImageClassification(data=Digits(batch_size=61), network="mlp", dropout=0.2)
    trainer.fit(task)
    return {name: np.asarray(value) for name, value in all_variables(task).items()}


def slow_chief(folder, seconds):
    """Train until a signal comes; the last checkpoint takes its time."""
    write = checkpoint_manager.write_checkpoint

    def write_slowly(path, state):
        time.sleep(seconds)
        write(path, state)
        print(f"written at {time.monotonic():.2f}", flush=True)

    checkpoint_manager.write_checkpoint = write_slowly
    checkpoints = ModelCheckpoint(every_n_train_steps=10_000)
    try:
        training(folder, max_steps=10_000, callbacks=[checkpoints, Announce()])
    finally:
        print(f"left at {time.monotonic():.2f}", flush=True)


def stuck(folder, index):
    """Train with one worker that hangs in a hook."""
    training(folder, callbacks=[Announce(), Sleeps(index)], step_timeout=8)


def short_patience(folder):
    """Train with heartbeats that must come every 12 s."""
    training(folder, max_steps=10_000, heartbeat_timeout=12)


def differing(folder):
    """Return what is said of arguments, graphs and versions that differ, then of none."""
    index = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers.index
    said = []
    for make in (
        lambda: fitted(BoringTask(FewData()), max_steps=1, accumulate_grad_batches=1 + index),
        lambda: fitted(Rated(0.1 * (1 + index), FewData()), max_steps=1),
        lambda: fitted(OneMore(FewData()), max_steps=1),
        lambda: fitted(BoringTask(FewData()), max_steps=1 + 0 * index),
    ):
        try:
            said.append(f"{make().global_step} update")
        except ConfigurationError as error:
            said.append(str(error))
    return said


def other_versions(folder):
    """Return what is said of a worker with another TensorFlow."""
    from lightning_tf.distribute.cluster import Cluster

    versions = equal_workers.versions
    if Cluster.from_environment().index == 1:
        equal_workers.versions = lambda: {**versions(), "tensorflow": "2.20.0"}
    try:
        Trainer(**quiet(max_steps=1, accelerator="cpu"))
    except ConfigurationError as error:
        return str(error)
    return "nothing"
