"""A fit of several workers with a WandbLogger; run by `on_workers`."""

import os
import time
from pathlib import Path

from helpers.boring import BoringTask, quiet
from helpers.replica_tasks import FewData
from helpers.wandb_log import logged_run

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import WandbLogger

WAITS = 60.0  # seconds in which the first system metrics must come


class IsMeasured(Callback):
    """Delays the end of a worker's fit until its own run has system metrics."""

    def __init__(self, logger, folder, expected):
        self.logger, self.folder, self.expected = logger, Path(folder), expected

    def on_train_end(self, trainer, task):
        index = trainer.workers.index
        name = self.logger.run_id + (f"-worker-{index}" if index else "")
        deadline = time.monotonic() + WAITS
        while index in self.expected and time.monotonic() < deadline:
            paths = list(self.folder.glob(f"wandb/*run-*-{name}/run-{name}.wandb"))
            if paths and logged_run(paths[0], seconds=0.0).stats:
                return
            time.sleep(0.1)


def measured(folder, mode, worker_metrics, expected):
    """Fit and return the id by which this worker knows the run."""
    os.environ["WANDB_SILENT"] = "true"
    settings = {"x_stats_sampling_interval": 1.0}
    logger = WandbLogger(
        "many",
        dir=folder,
        mode=mode,
        worker_metrics=worker_metrics,
        settings=settings,
        config={"own": 1},
    )
    waiting = IsMeasured(logger, folder, expected)
    trainer = Trainer(
        **quiet(max_epochs=1, accelerator="cpu", logger=logger, callbacks=[waiting]),
    )
    trainer.fit(BoringTask(FewData()))
    return logger.run_id
