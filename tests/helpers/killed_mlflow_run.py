"""A run with an MLflowLogger that kills its own process: python killed_mlflow_run.py FOLDER."""

import os
import signal
import sys
import time

from helpers.killed_run import KILLED_AT, arguments, task

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import MLflowLogger


class KilledOnceRowsArrived(Callback):
    """Waits until MLflow has rows of before, logs one more, and dies."""

    every_n_steps = KILLED_AT

    def on_train_window_end(self, trainer, task):
        if self.is_due(trainer):
            deadline = time.monotonic() + 120.0
            while not trainer.logger._delivery.rows.confirmed:
                trainer.logger.log_metrics({"waits": 0.0, "epoch": 0.0}, trainer.global_step)
                assert time.monotonic() < deadline
                time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)


def logger(folder):
    return MLflowLogger("killed", save_dir=folder)


if __name__ == "__main__":
    Trainer(**arguments(sys.argv[1], logger(sys.argv[1]), KilledOnceRowsArrived())).fit(task())
