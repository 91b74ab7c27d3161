"""gradient_descent: the paths of four optimizers in a long bowl, and of three learning rates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf import Callback, Task, Trainer
from lightning_tf.gallery.common.quiet_trainer import quiet_trainer

STEEP = 10.0  # how much more the bowl bends along y than along x
START = (-4.0, 1.5)
UPDATES = 60
OPTIMIZERS = {
    "SGD": ("sgd", {"learning_rate": 0.05}),
    "momentum": ("sgd", {"learning_rate": 0.05, "momentum": 0.8}),
    "RMSProp": ("rmsprop", {"learning_rate": 0.15}),
    "Adam": ("adam", {"learning_rate": 0.4}),
}
RATES = {
    "0.005, too small": ("sgd", {"learning_rate": 0.005}),
    "0.15, right": ("sgd", {"learning_rate": 0.15}),
    "0.205, too large": ("sgd", {"learning_rate": 0.205}),  # above 2 / STEEP it leaves the bowl
}
LOOKS = (  # they differ without colors
    {"color": "#1b5e9b", "marker": "o", "linestyle": "-"},
    {"color": "#c2570c", "marker": "^", "linestyle": "--"},
    {"color": "#2f7d32", "marker": "s", "linestyle": "-."},
    {"color": "#8a2f8f", "marker": "x", "linestyle": ":"},
)


class Bowl(Task):
    """Two variables that go down (x^2 + STEEP y^2) / 2; an update for each "example".

    Args:
        optimizer: A name of Keras.
        options: Its arguments.
    """

    def __init__(self, optimizer: str, options: Mapping[str, float]) -> None:
        self.optimizer, self.options = optimizer, options
        self.data = tf.data.Dataset.range(UPDATES).batch(1)  # what a step does not read

    def configure_model(self) -> None:
        """Make the variables."""
        self.point = keras.Variable(START, name="point")

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return Keras' optimizer of the name."""
        config = {"class_name": self.optimizer, "config": dict(self.options)}
        return keras.optimizers.get(config)

    def training_step(self, batch: Any) -> tf.Tensor:
        """Return the height over the bowl's ground."""
        return height(self.point[0], self.point[1])


class PathRecorder(Callback):
    """Keeps where the point is, before the first update and after each."""

    logs_metrics = False

    def __init__(self) -> None:
        self.points: list[NDArray[np.float32]] = []

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Keep the start."""
        self.points.append(task.point.numpy())

    def on_train_batch_end(
        self, trainer: Trainer, task: Any, outputs: dict[str, float], batch_idx: int
    ) -> None:
        """Keep the point after an update."""
        self.points.append(task.point.numpy())


def height(x: Any, y: Any) -> Any:
    """Return the loss at a point, or at many."""
    return (x**2 + STEEP * y**2) / 2


def run(folder: Path, *, full: bool, data_dir: str | None) -> Mapping[str, float]:
    """Go down with each optimizer and learning rate; draw the paths and the losses.

    Args:
        folder: For gradient_descent.png.
        full: Nothing takes longer.
        data_dir: Not needed.
    """
    by_optimizer = {name: _path(*spec) for name, spec in OPTIMIZERS.items()}
    by_rate = {name: _path(*spec) for name, spec in RATES.items()}

    _figure(by_optimizer, by_rate).savefig(folder / "gradient_descent.png", dpi=100)
    paths = by_optimizer | {f"SGD, rate {name}": path for name, path in by_rate.items()}
    return {f"loss of {name}": float(height(*path[-1])) for name, path in paths.items()}


def _path(optimizer: str, options: Mapping[str, float]) -> NDArray[np.float32]:
    path = PathRecorder()
    quiet_trainer(1, callbacks=[path]).fit(Bowl(optimizer, options))
    return np.stack(path.points)  # (updates + 1, 2)


def _figure(
    by_optimizer: Mapping[str, NDArray[np.float32]], by_rate: Mapping[str, NDArray[np.float32]]
) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6.4), layout="constrained")
    panels = figure.subplots(2, 2, width_ratios=[3, 2])
    titles = ("four optimizers", "three learning rates of SGD")
    for (left, right), paths, title in zip(panels, (by_optimizer, by_rate), titles, strict=True):
        _draw_paths(left, paths)
        left.set_title(f"{title}: the path")
        _draw_losses(right, paths)
        right.set_title("loss")
        right.legend(fontsize=8)
    return figure


def _draw_paths(axes: Any, paths: Mapping[str, NDArray[np.float32]]) -> None:
    x, y = np.meshgrid(np.linspace(-5, 3, 200), np.linspace(-2.4, 2.4, 200))
    levels = [0.1, 0.5, 1, 2, 4, 8, 12, 18, 26]
    axes.contour(x, y, height(x, y), levels=levels, colors="0.75", linewidths=0.8)
    for look, (name, path) in zip(LOOKS, paths.items(), strict=False):
        axes.plot(*path.T, label=name, markersize=4, linewidth=1.2, **look)
    axes.plot(0, 0, "*", color="black", markersize=12)
    axes.annotate("start", START, textcoords="offset points", xytext=(-4, 7), ha="center")
    axes.set(xlabel="x", ylabel="y", xlim=(-5, 3), ylim=(-2.4, 2.4))


def _draw_losses(axes: Any, paths: Mapping[str, NDArray[np.float32]]) -> None:
    for look, (name, path) in zip(LOOKS, paths.items(), strict=False):
        axes.semilogy(height(*path.T), label=name, markersize=4, markevery=6, **look)
    axes.set(xlabel="updates", ylim=(1e-8, 1e4))
