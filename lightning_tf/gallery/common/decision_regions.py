"""DecisionRegions: which class a classifier predicts where in the plane, epoch by epoch."""

from collections.abc import Callable, Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf import Callback, Task, Trainer

SIDE = 100  # points of the grid along each axis
PALE, DARK = "#fdf3dc", "#7fb0d6"  # of class 0 and 1: they differ in grey, too
LOOKS = (  # of the examples of class 0 and 1
    {"marker": "X", "color": "#b3470f"},
    {"marker": "o", "color": "#123a5e"},
)


class DecisionRegions(Callback):
    """Keeps a classifier's predictions all over the plane, before training and after epochs.

    Args:
        low: The plane's lowest number, along both axes.
        high: Its highest.
        probability: Of a task and points of shape (points, 2): those of class 1, (points,).
        epochs: After how many epochs; 0 is before training.

    Attributes:
        by_epoch: Probabilities of shape (SIDE, SIDE), rows from below, by the number of epochs.

    Example:
        >>> of_class_1 = lambda task, points: task.predict_table(points)[:, 1]
        >>> regions = DecisionRegions(-1, 1, of_class_1, epochs=[0, 20])
        >>> Trainer(max_epochs=20, callbacks=[regions]).fit(TabularClassification("circles"))
        >>> regions.by_epoch[20].shape
        (100, 100)
    """

    logs_metrics = False

    def __init__(
        self,
        low: float,
        high: float,
        probability: Callable[[Any, NDArray[np.float32]], Any],
        epochs: Container[int],
    ) -> None:
        self.low, self.high, self.probability, self.epochs = low, high, probability, epochs
        self.by_epoch: dict[int, NDArray[np.floating]] = {}

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Keep what the untrained classifier predicts."""
        self._keep(task, 0)

    def on_train_epoch_end(self, trainer: Trainer, task: Task) -> None:
        """Keep what it predicts now."""
        self._keep(task, trainer.current_epoch + 1)

    def draw(self, axes: Any, epochs: int, x: NDArray[Any], y: NDArray[Any], size: float) -> None:
        """Draw the plane after so many epochs, the border of the classes and the examples.

        Args:
            axes: Of matplotlib; their labels are left out.
            epochs: A key of `by_epoch`.
            x: Examples of shape (examples, 2).
            y: Their classes, 0 or 1.
            size: Of the markers, in points squared.
        """
        from matplotlib.colors import LinearSegmentedColormap

        values = self.by_epoch[epochs]
        colors = LinearSegmentedColormap.from_list("regions", [PALE, DARK], 8)  # steps
        extent = (self.low, self.high, self.low, self.high)
        axes.imshow(values, cmap=colors, vmin=0, vmax=1, extent=extent, origin="lower")
        if values.min() < 0.5 < values.max():
            line = np.linspace(self.low, self.high, SIDE)
            axes.contour(line, line, values, levels=[0.5], colors="black", linewidths=1)

        for label, look in enumerate(LOOKS):
            chosen = x[y == label]
            axes.scatter(*chosen.T, s=size, edgecolors="white", linewidths=0.3, **look)
        axes.set(xticks=[], yticks=[], xlim=extent[:2], ylim=extent[2:])

    def _keep(self, task: Task, epochs: int) -> None:
        if epochs not in self.epochs:
            return
        line = np.linspace(self.low, self.high, SIDE, dtype=np.float32)
        points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        self.by_epoch[epochs] = np.reshape(self.probability(task, points), (SIDE, SIDE))
