"""What the three ways to resize photos cost, and what a small network learns from each.

    LIGHTNING_TF_DATA=FOLDER python benchmarks/resize.py [--runs 3] [--write] [--check] [--quick]

FOLDER holds photos in class folders, ``cats_dogs/train``, ``cats_dogs/test``, ``flowers/train`` and
``flowers/test`` (photos of 160 and 128 pixels on their shorter side, which become 64 x 64).

The cost is CPU time of all threads for each photo, of a pipeline that reads, decodes and resizes
every training photo of cats_dogs and does nothing else, in turns. The accuracy is that on the test
photos after 15 epochs of ``convnet`` with flips, batches of 32, Adam, one seed for each run.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import keras
import measure
import numpy as np

from lightning_tf import Trainer
from lightning_tf.data import ImageFolder
from lightning_tf.tasks import ImageClassification

SETS, METHODS, SIDE, EPOCHS = ("cats_dogs", "flowers"), ("antialias", "bilinear", "draft"), 64, 15
DRAFT_COST, BILINEAR_COST = 1.0, 0.7


def folder(name: str, **options: object) -> ImageFolder:
    """Return a set of photos."""
    root = os.environ.get("LIGHTNING_TF_DATA")
    if root is None:
        raise SystemExit("LIGHTNING_TF_DATA names no folder; it must hold cats_dogs and flowers.")
    data = ImageFolder(Path(root, name), image_size=SIDE, val_fraction=0.0, **options)
    data.setup("fit")
    return data


def costs(runs: int) -> dict[str, float]:
    """Return the CPU microseconds for each photo, the median of several passes in turn."""
    sets = {method: folder(SETS[0], in_memory=False, resize=method) for method in METHODS}
    passes: dict[str, list[float]] = {method: [] for method in METHODS}
    for turn in range(-1, runs):
        for method, data in sets.items():
            indices = data.splits["train"].indices
            begin = time.process_time()
            for _ in data.splits["train"].source.inputs(np.sort(indices), 32):
                pass
            if turn >= 0:
                passes[method].append((time.process_time() - begin) / len(indices) * 1e6)
    return {method: statistics.median(each) for method, each in passes.items()}


def accuracy(name: str, method: str, seed: int, epochs: int) -> float:
    """Return the accuracy on the test photos after training on the others."""
    keras.utils.clear_session()
    data = folder(name, in_memory=True, resize=method)
    task = ImageClassification(data, "convnet", augmentation=["flip"])
    with measure.trainer_folder() as runs:
        trainer = Trainer(
            max_epochs=epochs, seed=seed, default_root_dir=runs, logger=False,
            enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit(task)
        return float(trainer.test(task)["test_accuracy"])


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0], runs=3)
    epochs = 1 if options.quick else EPOCHS
    seeds = 1 if options.quick else options.runs
    cost = costs(options.runs)
    reached = {
        (name, method): [accuracy(name, method, seed, epochs) for seed in range(seeds)]
        for name in SETS
        for method in METHODS
    }

    def shown(values: list[float]) -> str:
        return f"{statistics.fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"

    rows = [
        [method, f"{cost[method]:.0f}", *(shown(reached[name, method]) for name in SETS)]
        for method in METHODS
    ]
    header = ["", "decode and resize (µs CPU a photo)", *(f"accuracy, {name}" for name in SETS)]
    text = f"Mean of {seeds} seeds, from lowest to highest.\n\n" + measure.table(header, rows)
    targets = [
        measure.Target(
            "bilinear to antialias", cost["bilinear"] / cost["antialias"], BILINEAR_COST
        ),
        measure.Target("draft to antialias", cost["draft"] / cost["antialias"], DRAFT_COST),
    ]
    measure.report("resize", text, targets, options)


if __name__ == "__main__":
    main()
