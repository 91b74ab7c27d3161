"""The use of all cores by decoding JPEG files, augmentation and a frozen MobileNetV2.

    python benchmarks/image_pipeline.py [--runs 5] [--write] [--check] [--quick]

512 JPEG files of 240 x 320 pixels, made here, through `ImageFolder` at 160 pixels into the
features of MobileNetV2 (random weights, frozen) and a head, with flips, brightness and crops inside
the step, batches of 32, float32, no validation. Three contenders: the pipeline alone, whose batches
nobody uses; training on the files; training on the same images decoded beforehand
(``in_memory=True``), which is the step alone. `busy` is the process's CPU time over wall time and
cores. Two parts that keep all cores busy take together as long as one after the other; the third
ratio shows how much longer training on files takes than that.

The first epoch, which holds tracing, is left out. What a cache of the features gives, whose epochs
neither decode nor run the backbone, is in feature_cache.py.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import Callback, Task, Trainer
from lightning_tf.data import ImageFolder
from lightning_tf.tasks import TransferLearning

IMAGES, HEIGHT, WIDTH, SIDE, BATCH = 512, 240, 320, 160, 32
AUGMENTATION = ["flip", "brightness", "crop"]
BUSY_ALONE, BUSY_TRAINING, LOST = 0.9, 0.85, 1.1
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Clock(Callback):
    """The wall and CPU seconds at which each epoch starts and the last one ends."""

    logs_metrics = False
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def note(self) -> None:
        """Note the times."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Note the times."""
        self.note()

    def on_train_end(self, trainer: Trainer, task: Task) -> None:
        """Note the times."""
        self.note()

    def epoch(self) -> tuple[float, float]:
        """Return the wall seconds of a later epoch, and the share of all cores that was used."""
        wall, cpu = self.wall[-1] - self.wall[1], self.cpu[-1] - self.cpu[1]
        return wall / (len(self.wall) - 2), cpu / wall / CORES


def write_images(folder: Path, count: int) -> None:
    """Write two classes of smooth random images, some 20 kB each like photos of that size."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.uniform(0, 255, (HEIGHT // 8, WIDTH // 8, 3)).astype("float32")
        smooth = tf.image.resize(coarse, (HEIGHT, WIDTH), "bicubic")
        image = tf.saturate_cast(smooth + random.normal(0, 4, (HEIGHT, WIDTH, 3)), tf.uint8)
        path = folder / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tf.io.encode_jpeg(image, quality=90).numpy())


def data(folder: Path, in_memory: bool) -> ImageFolder:
    """Return all images, for training."""
    return ImageFolder(
        folder, image_size=SIDE, in_memory=in_memory, batch_size=BATCH, val_fraction=0.0
    )


def pipeline(folder: Path, epochs: int) -> Clock:
    """Read every batch and use none."""
    clock, images = Clock(), data(folder, in_memory=False)
    images.setup("fit")
    for epoch in range(epochs):
        clock.note()
        for _ in images.train_dataset(epoch):
            pass
    clock.note()
    return clock


def training(folder: Path, epochs: int, in_memory: bool) -> Clock:
    """Train the head."""
    clock = Clock()
    task = TransferLearning(
        data(folder, in_memory), weights=None, augmentation=AUGMENTATION, schedule="constant"
    )
    with measure.trainer_folder() as runs:
        Trainer(
            max_epochs=epochs, default_root_dir=runs, callbacks=[clock], enable_checkpointing=False
        ).fit(task)
    return clock


def medians(contenders: dict[str, Callable[[], Clock]], runs: int) -> dict[str, tuple[float, ...]]:
    """Return the wall seconds of an epoch and the busy share of each contender, in turn."""
    epochs_of: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for turn in range(runs):
        for name in list(contenders) if turn % 2 else reversed(contenders):
            keras.utils.clear_session()
            epochs_of[name].append(contenders[name]().epoch())
    return {
        name: tuple(map(statistics.median, zip(*epochs, strict=True)))
        for name, epochs in epochs_of.items()
    }


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    count, epochs = (IMAGES, 3)
    if options.quick:
        count, epochs, options.runs = 256, 2, 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, count)
        contenders = {
            "pipeline alone": lambda: pipeline(folder, epochs),
            "training on files": lambda: training(folder, epochs, in_memory=False),
            "training in memory": lambda: training(folder, epochs, in_memory=True),
        }
        results = medians(contenders, options.runs)
    rows = [
        [name, f"{wall:.2f}", f"{count / wall:.0f}", f"{busy:.2f}"]
        for name, (wall, busy) in results.items()
    ]
    (alone, alone_busy), (files, files_busy), (memory, _) = results.values()
    text = f"{count} files, {CORES} cores used.\n\n" + measure.table(
        ["", "epoch (s)", "images/s", "busy"], rows
    )
    targets = [
        measure.Target("cores busy, pipeline alone", alone_busy, at_least=BUSY_ALONE),
        measure.Target("cores busy, training on files", files_busy, at_least=BUSY_TRAINING),
        measure.Target("training on files to both parts", files / (alone + memory), at_most=LOST),
    ]
    measure.report("image_pipeline", text, targets, options)


if __name__ == "__main__":
    main()
