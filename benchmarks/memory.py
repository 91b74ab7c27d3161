"""The memory of a long run, and of a process that trains again and again.

    python benchmarks/memory.py [--runs 3] [--write] [--check] [--quick]

ImageClassification on digits through the Trainer with its default callbacks and logger; each run is
a process of its own. Resident size of the process:

- one fit of 100 epochs: the size after epoch 100 to that after epoch 10;
- 24 fits of 2 epochs, each with a new task, a new Trainer and a new folder: the size after the last
  to that after the fourth, both after a garbage collection. The first four fits pay for what a
  process does once.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys

import measure
import psutil

from lightning_tf import Callback, Task, Trainer
from lightning_tf.tasks import ImageClassification

EPOCHS, EARLY_EPOCH = 100, 10
FITS, WARM_UP_FITS = 20, 4


class ResidentSize(Callback):
    """The process' resident size after every epoch, in bytes."""

    logs_metrics = False

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Note the size."""
        self.sizes.append(psutil.Process().memory_info().rss)


def fit(epochs: int) -> list[int]:
    """Train and return the size after every epoch."""
    resident = ResidentSize()
    with measure.trainer_folder() as folder:
        trainer = Trainer(max_epochs=epochs, default_root_dir=folder, seed=0, callbacks=[resident])
        trainer.fit(ImageClassification(data="digits"))
    return resident.sizes


def epochs_in_this_process() -> None:
    """Print the sizes after every epoch of one fit."""
    print(*fit(EPOCHS))


def fits_in_this_process() -> None:
    """Print the sizes after every fit."""
    sizes = []
    for _ in range(WARM_UP_FITS + FITS):
        fit(2)
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss)
    print(*sizes)


PROCESSES = {"epochs": epochs_in_this_process, "fits": fits_in_this_process}


def sizes_of(name: str, before: int) -> tuple[int, int]:
    """Return the sizes after `before` epochs or fits and at the end, of a new process."""
    command = [sys.executable, __file__, name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    sizes = [int(size) for size in done.stdout.splitlines()[-1].split()]
    return sizes[before - 1], sizes[-1]


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in PROCESSES:
        PROCESSES[sys.argv[1]]()
        return
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    options.runs = 1 if options.quick else options.runs
    kinds = {"epochs": EARLY_EPOCH, "fits": WARM_UP_FITS}
    if options.quick:
        del kinds["fits"]  # takes a minute
    sizes = {
        name: [sizes_of(name, before) for _ in range(options.runs)]
        for name, before in kinds.items()
    }
    rows = [
        [name, f"{early / 2**20:.0f}", f"{late / 2**20:.0f}", f"{late / early:.3f}"]
        for name, runs in sizes.items()
        for early, late in runs
    ]
    header = ["over", "before (MiB)", "after (MiB)", "ratio"]
    ratios = {
        name: statistics.median(late / early for early, late in runs)
        for name, runs in sizes.items()
    }
    bounds = {"epochs": (f"{EPOCHS} epochs", 1.01), "fits": (f"{FITS} fits", 1.05)}
    targets = [
        measure.Target(
            f"resident size over {bounds[name][0]}", ratio, bounds[name][1], is_time=False
        )
        for name, ratio in ratios.items()
    ]
    measure.report("memory", measure.table(header, rows), targets, options)


if __name__ == "__main__":
    main()
