"""Overfit a small network to few images, cure it with augmentation and dropout, draw both.

    python scripts/overfitting.py path/to/folder
    python scripts/overfitting.py path/to/folder --epochs 60 --image-size 96

The folder has one folder of images for each class, or train/ and test/ with these. The image,
overfitting.png, has training and validation curves of both runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas
from matplotlib.figure import Figure

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification

CURE = {"augmentation": ["flip", ("crop", {"padding": 8}), "contrast"], "dropout": 0.5}
RUNS: dict[str, dict[str, Any]] = {"plain": {}, "augmentation and dropout": CURE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", default=".", help="runs/ and the image go into this folder")
    options = parser.parse_args()

    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    for (name, cure), colour in zip(RUNS.items(), ("tab:red", "tab:blue"), strict=True):
        folder = {"val_fraction": 0.2, "in_memory": True}
        task = ImageClassification(
            options.data, image_size=options.image_size, data_options=folder, **cure
        )
        trainer = Trainer(max_epochs=options.epochs, default_root_dir=options.output, seed=0)
        trainer.fit(task)
        print(f"{name}: {trainer.test(task)}")
        rows = pandas.read_csv(Path(trainer.log_dir or "") / "metrics.csv")
        for axes, metric in zip(panels, ("loss", "accuracy"), strict=True):
            for column, style in ((f"train/{metric}_epoch", "--"), (f"val/{metric}", "-")):
                curve = rows[["epoch", column]].dropna()
                label = f"{name}, {column.split('/')[0]}"
                axes.plot(curve["epoch"], curve[column], style, color=colour, label=label)
            axes.set(xlabel="epoch", ylabel=metric)
    panels[0].set_ylim(0, 3)
    panels[1].legend(fontsize=8)
    figure.savefig(Path(options.output) / "overfitting.png", dpi=110)


if __name__ == "__main__":
    main()
