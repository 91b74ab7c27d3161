"""The time that an offline WandbLogger adds to a step of a tiny MLP.

    python benchmarks/wandb_cost.py [--runs 15] [--write] [--check]

The task is that of fit_overhead.py, a row every 50 updates, with the default callbacks and logger;
once with an offline WandbLogger beside them, system metrics included. The ratio is of the medians
over all epochs of all runs but the first of each: on a shared machine some epochs take half as long
again. The CPU time of an epoch, of all threads of this process, depends less on other processes.
Opening and closing the run show in the whole call.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time

os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}

import measure
from tiny_mlp import STEPS, Classifier

from lightning_tf import Task, Trainer
from lightning_tf.callbacks import CSVLogger, WandbLogger

EPOCHS = 30  # opening and closing a run computes during the first and after the last


class Clock(measure.EpochClock):
    """Notes also the process' CPU time."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Note both times."""
        super().on_train_epoch_start(trainer, task)
        self.computed.append(time.process_time())

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Note both times."""
        super().on_train_end(trainer, task)
        self.computed.append(time.process_time())


class Contender:
    """Fits with some loggers, and keeps the seconds of every epoch but each fit's first."""

    def __init__(self, *, with_wandb: bool) -> None:
        self.with_wandb, self.is_warm = with_wandb, False
        self.epochs: list[float] = []
        self.computed: list[float] = []

    def __call__(self) -> measure.Timing:
        """Fit once."""
        clock = Clock()
        with measure.trainer_folder() as folder, tempfile.TemporaryDirectory() as data:
            os.environ["WANDB_DATA_DIR"] = data
            wandb_logger = [WandbLogger("cost", mode="offline")] if self.with_wandb else []
            trainer = Trainer(
                max_epochs=EPOCHS,
                default_root_dir=folder,
                callbacks=[clock],
                logger=[CSVLogger(), *wandb_logger],
            )
            timing = measure.timed(lambda: trainer.fit(Classifier(STEPS)), clock.starts)
        if self.is_warm:  # the first round of `alternate` pays for what a process does once
            self.epochs += [b - a for a, b in itertools.pairwise(clock.starts[1:])]
            self.computed += [b - a for a, b in itertools.pairwise(clock.computed[1:])]
        self.is_warm = True
        return timing


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=15)
    contenders = {
        "CSVLogger": Contender(with_wandb=False),
        "CSVLogger, WandbLogger": Contender(with_wandb=True),
    }
    medians, _ = measure.alternate(contenders, options.runs)
    plain = contenders["CSVLogger"]
    rows = [
        [
            name,
            f"{statistics.median(each.epochs) / STEPS * 1e6:.0f}",
            f"{ratio(each.epochs, plain.epochs):.3f}",
            f"{min(each.epochs) / STEPS * 1e6:.0f}",
            f"{ratio(each.computed, plain.computed):.3f}",
            f"{medians[name].whole:.2f}",
        ]
        for name, each in contenders.items()
    ]
    header = [
        "loggers",
        "us a step",
        "ratio",
        "the fastest epoch's",
        "ratio of what the process computes",
        f"whole call, {EPOCHS} epochs (s)",
    ]
    with_to_without = ratio(contenders["CSVLogger, WandbLogger"].epochs, plain.epochs)
    targets = [measure.Target("with WandbLogger to without, a step", with_to_without, 1.03)]
    measure.report("wandb_cost", measure.table(header, rows), targets, options)


def ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(one) / statistics.median(other)


if __name__ == "__main__":
    main()
