"""linear_regression: a line through points, with TensorBoard, saved, restored and gone on with."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, TensorBoardLogger
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer
from lightning_tf.tasks import Regression

SLOPE, INTERCEPT, NOISE = 3.0, 2.0, 0.5
POINTS = 200
SAVED, EPOCHS = 5, 10
DRAWN = {0: ":", 1: "-.", SAVED: "--", EPOCHS: "-"}  # epochs and their line's style


class LineRecorder(Callback):
    """Keeps the line before training and after every epoch.

    Attributes:
        by_epoch: Slope and intercept by the number of epochs.
        losses: Of the training split by the number of epochs.
    """

    logs_metrics = False

    def __init__(self) -> None:
        self.by_epoch: dict[int, tuple[float, float]] = {}
        self.losses: dict[int, float] = {}

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Keep the line where a fit begins."""
        self.by_epoch[trainer.current_epoch] = line_of(task)

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Keep the line after an epoch."""
        self.by_epoch[trainer.current_epoch + 1] = line_of(task)
        self.losses[trainer.current_epoch + 1] = trainer.callback_metrics["loss"]


def line_of(task: Regression) -> tuple[float, float]:
    """Return slope and intercept of what a task predicts of one number."""
    at_0, at_1 = task.predict_table([[0.0], [1.0]])[:, 0]
    return float(at_1 - at_0), float(at_0)


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Fit, go on from the checkpoint in a new task, compare with a fit that was not interrupted.

    Args:
        folder: For points.csv, runs/ and linear_regression.png.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    points = write_points(folder / "points.csv")
    shutil.rmtree(folder / "runs", ignore_errors=True)  # of an earlier time

    recorder = LineRecorder()
    logged = {"default_root_dir": folder, "enable_checkpointing": True, "callbacks": [recorder]}
    for epochs, checkpoint in ((SAVED, None), (EPOCHS, "last")):
        loggers = [CSVLogger(), TensorBoardLogger(graph=True)]
        task = _line(folder)
        trainer = quiet_trainer(epochs, logger=loggers, **logged)
        trainer.fit(task, ckpt_path=checkpoint)

    uninterrupted = _line(folder)
    quiet_trainer(EPOCHS).fit(uninterrupted)
    _figure(points, recorder).savefig(folder / "linear_regression.png", dpi=100)
    slope, intercept = recorder.by_epoch[EPOCHS]
    distance = np.subtract(line_of(uninterrupted), (slope, intercept))
    return {
        "slope": slope,
        "intercept": intercept,
        "test r2": trainer.test(task)["test_r2"],
        "distance from a fit that was not interrupted": float(np.abs(distance).max()),
    }


def write_points(path: Path) -> Any:
    """Write points around the line as a CSV file, and return them, of shape (points, 2)."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, POINTS)
    y = SLOPE * x + INTERCEPT + random.normal(0, NOISE, POINTS)
    points = np.stack([x, y], axis=1)
    np.savetxt(path, points, "%.4f", delimiter=",", header="x,y", comments="")
    return points


def _line(folder: Path) -> Regression:
    return Regression(
        str(folder / "points.csv"),
        "y",
        units=(),
        optimizer="sgd",
        learning_rate=0.05,
        schedule="constant",  # a cosine would come to its end in each of the two fits
    )


def _figure(points: Any, recorder: LineRecorder) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.8), layout="constrained")
    lines, losses = figure.subplots(1, 2, width_ratios=[3, 2])
    lines.scatter(*points.T, s=8, color="0.6")
    ends = np.array([-1.0, 1.0])
    for epochs, style in DRAWN.items():
        slope, intercept = recorder.by_epoch[epochs]
        label = f"epoch {epochs}: {slope:.2f} x + {intercept:.2f}" if epochs else "untrained"
        lines.plot(ends, slope * ends + intercept, style, color="#1b5e9b", label=label)
    lines.set(xlabel="x", ylabel="y", xticks=[-1, -0.5, 0, 0.5, 1])
    lines.set_title(f"the line through points of {SLOPE:g} x + {INTERCEPT:g}")
    lines.legend(fontsize=9)

    losses.plot(list(recorder.losses), list(recorder.losses.values()), "o-", color="#c2570c")
    losses.axvline(SAVED, color="black", linestyle=":")
    losses.annotate(
        "saved, restored\nin a new task", (SAVED + 0.2, 0.8 * max(recorder.losses.values()))
    )
    losses.set(xlabel="epoch", ylabel="loss (of scaled targets)", xticks=range(1, EPOCHS + 1))
    return figure
