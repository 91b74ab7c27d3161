"""Functions that Ray runs in processes of its own, where it imports this module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import RayReport
from lightning_tf.data import Digits
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables


class Killed(Callback):
    """Kills a worker once in the life of a folder."""

    logs_metrics = False
    every_n_steps = 1

    def __init__(self, folder, step):
        self.mark, self.step = Path(folder, "killed"), step

    def on_train_window_end(self, trainer, task):
        if trainer.workers.index == 1 and trainer.global_step == self.step:
            if self.mark.exists():
                return
            self.mark.touch()
            time.sleep(8)  # Ray asks its workers for reports every few seconds
            os.kill(os.getpid(), signal.SIGKILL)


def train(config):
    """Fit on digits with dropout; the chief writes its weights and whether it has resumed."""
    report = RayReport()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=3,
        seed=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[report, Killed(config["folder"], config["killed_at"])],
    )
    task = ImageClassification(Digits(batch_size=61), network="mlp", dropout=0.2)
    trainer.fit(task, ckpt_path=report.ckpt_path)
    if trainer.is_global_zero:
        weights = {name: np.asarray(value) for name, value in all_variables(task).items()}
        np.savez(Path(config["folder"], "end.npz"), resumed=trainer.resumed, **weights)


def trial(config):
    """Fit with a learning rate."""
    report = RayReport()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=4,
        seed=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[report],
    )
    task = ImageClassification(Digits(batch_size=128), network="mlp", learning_rate=config["rate"])
    trainer.fit(task, ckpt_path=report.ckpt_path)
