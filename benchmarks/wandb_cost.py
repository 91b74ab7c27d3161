"""What a WandbLogger that keeps its run on this disk adds to a step of a tiny MLP.

    python benchmarks/wandb_cost.py [--runs 15] [--write] [--check]

The task is that of fit_overhead.py, a row every 50 updates, with the default callbacks and logger;
once with a WandbLogger beside them, offline, system metrics included. The ratio is of a step's
time in all epochs but the first. Opening and closing the run show in the whole call.
"""

from __future__ import annotations

import os
import tempfile

os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}

import measure
from fit_overhead import STEPS, Classifier

from lightning_tf import Trainer
from lightning_tf.callbacks import CSVLogger, WandbLogger

EPOCHS = 9


def fit(with_wandb: bool) -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder, tempfile.TemporaryDirectory() as data:
        os.environ["WANDB_DATA_DIR"] = data
        wandb_logger = [WandbLogger("cost", mode="offline")] if with_wandb else []

        def run() -> None:
            trainer = Trainer(
                max_epochs=EPOCHS,
                default_root_dir=folder,
                callbacks=[clock],
                logger=[CSVLogger(), *wandb_logger],
            )
            trainer.fit(Classifier())

        return measure.timed(run, clock.starts)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=15)
    contenders = {"CSVLogger": lambda: fit(False), "CSVLogger, WandbLogger": lambda: fit(True)}
    medians, rounds = measure.alternate(contenders, options.runs)
    without, with_wandb = (medians[name] for name in contenders)
    rows = [
        [
            name,
            f"{timing.epoch / STEPS * 1e6:.0f}",
            f"{timing.epoch / without.epoch:.3f}",
            measure.spread(rounds[name]),
            f"{timing.whole:.2f}",
        ]
        for name, timing in medians.items()
    ]
    header = ["loggers", "us a step", "ratio", "spread", f"whole call, {EPOCHS} epochs (s)"]
    ratio = with_wandb.epoch / without.epoch
    targets = [measure.Target("with WandbLogger to without, a step", ratio, 1.03)]
    measure.report("wandb_cost", measure.table(header, rows), targets, options)


if __name__ == "__main__":
    main()
