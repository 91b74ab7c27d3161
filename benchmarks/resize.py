"""What the three ways to resize photos cost, and what a small network learns from each.

    LIGHTNING_TF_DATA=FOLDER python benchmarks/resize.py [--runs 3] [--write] [--check] [--quick]

FOLDER holds photos in class folders, ``cats_dogs/train``, ``cats_dogs/test``, ``flowers/train`` and
``flowers/test`` (photos of 160 and 128 pixels on their shorter side, which become 64 x 64).

The cost is CPU time of all threads for each photo, of a pipeline that reads, decodes and resizes
and does nothing else, in turns: of every training photo of cats_dogs, and of 100 of them enlarged
eight times, to the size at which cameras write photos (1,280 pixels on the shorter side). The
accuracy is that on the test photos after 15 epochs of ``convnet`` with flips, batches of 32, Adam,
one seed for each run.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import keras
import measure
import numpy as np
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data import ImageFolder
from lightning_tf.tasks import ImageClassification

SETS, METHODS, SIDE, EPOCHS = ("cats_dogs", "flowers"), ("antialias", "bilinear", "draft"), 64, 15
ENLARGED, TIMES = 100, 8
DRAFT_COST, BILINEAR_COST = 0.7, 0.7


def folder(root: Path, **options: object) -> ImageFolder:
    """Return a set of photos."""
    data = ImageFolder(root, image_size=SIDE, val_fraction=0.0, **options)
    data.setup("fit")
    return data


def enlarge(photos: Path, into: Path) -> None:
    """Write some photos of two classes in the size of a camera's."""
    for label in sorted(path for path in photos.iterdir() if path.is_dir())[:2]:
        (into / label.name).mkdir()
        for path in sorted(label.iterdir())[: ENLARGED // 2]:
            with Image.open(path) as photo:
                large = photo.convert("RGB").resize([TIMES * side for side in photo.size])
            large.save(into / label.name / path.name, quality=90)


def costs(root: Path, runs: int) -> dict[str, float]:
    """Return the CPU microseconds for each photo, the median of several passes in turn."""
    sets = {method: folder(root, in_memory=False, resize=method) for method in METHODS}
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


def accuracy(root: Path, method: str, seed: int, epochs: int) -> float:
    """Return the accuracy on the test photos after training on the others."""
    keras.utils.clear_session()
    data = folder(root, in_memory=True, resize=method)
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
    named = os.environ.get("LIGHTNING_TF_DATA")
    if named is None:
        raise SystemExit("LIGHTNING_TF_DATA names no folder; it must hold cats_dogs and flowers.")
    root = Path(named)

    cost = costs(root / SETS[0], options.runs)
    with tempfile.TemporaryDirectory() as into:
        enlarge(root / SETS[0] / "train", Path(into))
        large = costs(Path(into), options.runs)
    reached = {
        (name, method): [accuracy(root / name, method, seed, epochs) for seed in range(seeds)]
        for name in SETS
        for method in METHODS
    }

    def shown(values: list[float]) -> str:
        return f"{statistics.fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"

    rows = [
        [
            method,
            f"{cost[method]:.0f}",
            f"{large[method]:.0f}",
            *(shown(reached[name, method]) for name in SETS),
        ]
        for method in METHODS
    ]
    costly = ["µs CPU a photo", "the same of 1,280 pixels"]
    header = ["", *costly, *(f"accuracy, {name}" for name in SETS)]
    text = f"Mean of {seeds} seeds, from lowest to highest.\n\n" + measure.table(header, rows)
    targets = [
        measure.Target(
            "bilinear to antialias", cost["bilinear"] / cost["antialias"], BILINEAR_COST
        ),
        measure.Target(
            "draft to antialias, 1,280 pixels", large["draft"] / large["antialias"], DRAFT_COST
        ),
    ]
    measure.report("resize", text, targets, options)


if __name__ == "__main__":
    main()
