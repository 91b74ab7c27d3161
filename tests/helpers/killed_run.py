"""A run with a WandbLogger that kills its own process: python killed_run.py FOLDER MODE SECONDS.

It trains as `arguments` says, with a checkpoint every 4 updates, waits for some seconds after
update 10 and dies.
"""

import os
import signal
import sys
import time

import keras
from helpers.boring import NumberData, NumberTask, quiet

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import ModelCheckpoint, WandbLogger

KILLED_AT, EPOCHS, BATCHES = 10, 3, 6


class Killed(Callback):
    every_n_steps = KILLED_AT

    def __init__(self, seconds):
        self.seconds = seconds

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            if self.seconds:
                assert trainer.logger.experiment is not None  # waits until it has all rows
            time.sleep(self.seconds)
            os.kill(os.getpid(), signal.SIGKILL)


def task():
    data = NumberData(range(1, BATCHES + 1), held_out=[1.0])
    return NumberTask(data, keras.optimizers.SGD(0.125))


def arguments(folder, logger, *callbacks):
    saved = ModelCheckpoint(every_n_train_steps=4, dirpath=os.path.join(folder, "saved"))
    return quiet(
        max_epochs=EPOCHS,
        log_every_n_steps=1,
        logger=logger,
        seed=1,
        callbacks=[saved, *callbacks],
        enable_checkpointing=True,
    )


def logger(folder, mode, settings=None):
    return WandbLogger("killed", id="thesame", dir=folder, mode=mode, settings=settings)


if __name__ == "__main__":
    folder, mode, seconds = sys.argv[1:]
    # Online, what is logged reaches the server every second.
    settings = {"x_disable_stats": True, "x_file_stream_transmit_interval": 1.0}
    killed = Killed(float(seconds))
    Trainer(**arguments(folder, logger(folder, mode, settings), killed)).fit(task())
