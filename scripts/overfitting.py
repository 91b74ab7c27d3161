"""Overfit a small network to few images, regularize it with augmentation and dropout, plot both.

    python scripts/overfitting.py path/to/folder
    python scripts/overfitting.py path/to/folder --epochs 60 --image-size 96

The folder has one folder of images for each class, or train/ and test/ with these. The plot,
overfitting.png, has training and validation curves of both runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--output", default=".", help="runs/ and the plot go into this folder")
    options = parser.parse_args()

    plain = ImageClassification(
        options.data,
        image_size=options.image_size,
        data_options={"val_fraction": 0.2, "in_memory": True},
    )
    regularized = ImageClassification(
        options.data,
        image_size=options.image_size,
        data_options={"val_fraction": 0.2, "in_memory": True},
        augmentation=["flip", ("crop", {"padding": 8}), "contrast"],
        dropout=0.5,
    )

    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    rows = train_and_test("plain", plain, options.epochs, options.output)
    plot(panels, rows, "plain", "tab:red")
    rows = train_and_test("augmentation and dropout", regularized, options.epochs, options.output)
    plot(panels, rows, "augmentation and dropout", "tab:blue")
    panels[0].set_ylim(0, 3)
    panels[1].legend(fontsize=8)
    figure.savefig(Path(options.output) / "overfitting.png", dpi=110)


def train_and_test(
    name: str, task: ImageClassification, epochs: int, output: str
) -> pandas.DataFrame:
    """Fit a task, print its test metrics and return the rows that the run logged."""
    trainer = Trainer(max_epochs=epochs, default_root_dir=output, seed=0)
    trainer.fit(task)
    print(f"{name}: {trainer.test(task)}")
    return pandas.read_csv(Path(trainer.log_dir or "") / "metrics.csv")


def plot(panels: Any, rows: pandas.DataFrame, name: str, color: str) -> None:
    """Draw loss and accuracy of a run: training dashed, validation solid."""
    for axes, metric in zip(panels, ("loss", "accuracy"), strict=True):
        for column, style in ((f"train/{metric}_epoch", "--"), (f"val/{metric}", "-")):
            curve = rows[["epoch", column]].dropna()
            label = f"{name}, {column.split('/')[0]}"
            axes.plot(curve["epoch"] + 1, curve[column], style, color=color, label=label)
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


if __name__ == "__main__":
    main()
