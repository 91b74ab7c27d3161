"""Whether a long run grows: resident memory after epoch 30 against that after epoch 5.

    python benchmarks/memory.py [--runs 3] [--write] [--check]

ImageClassification on digits through the Trainer with its default callbacks; each run is a process
of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import measure
import psutil

from lightning_tf import Callback, Task, Trainer
from lightning_tf.tasks import ImageClassification

EARLY, LATE = 5, 30


class ResidentSize(Callback):
    """Notes the process' resident size, in bytes, after every epoch."""

    logs_metrics = False

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Note the size."""
        self.sizes.append(psutil.Process().memory_info().rss)


def one_run() -> None:
    """Train in this process and print the two sizes in bytes."""
    resident = ResidentSize()
    with measure.trainer_folder() as folder:
        trainer = Trainer(max_epochs=LATE, default_root_dir=folder, seed=0, callbacks=[resident])
        trainer.fit(ImageClassification(data="digits"))
    print(resident.sizes[EARLY - 1], resident.sizes[LATE - 1])


def main() -> None:
    if sys.argv[1:] == ["one"]:
        one_run()
        return
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    sizes = []
    for _ in range(options.runs):
        command = [sys.executable, __file__, "one"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        early, late = (int(size) for size in done.stdout.split()[-2:])
        sizes.append((early, late))
    rows = [
        [f"{early / 2**20:.0f}", f"{late / 2**20:.0f}", f"{late / early:.3f}"]
        for early, late in sizes
    ]
    header = [f"after epoch {EARLY} (MiB)", f"after epoch {LATE} (MiB)", "ratio"]
    ratio = statistics.median(late / early for early, late in sizes)
    target = measure.Target("resident size, late to early", ratio, at_most=1.03)
    measure.report("memory", measure.table(header, rows), [target], options)


if __name__ == "__main__":
    main()
