"""DecisionBoundary: where in the plane a classifier's prediction changes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.common.stage_report import StageReport
from lightning_tf.trainer import Trainer

SIDE = 200  # points of the grid along each axis
MARGIN = 0.1  # of the range, around the examples
MOST = 1000  # examples that are drawn


class DecisionBoundary(StageReport):
    """Logs an image of the plane when training ends and after every test.

    Colours are the probabilities of the classes, the black line lies where two are as likely, and
    dots are the rows of the validation or test split. The figure's name is
    ``val/decision_boundary`` or ``test/decision_boundary``. Nothing is drawn where the features are
    not two numbers.

    Works with every task on a `FeatureTable` with `columns`, `class_names` and a `predict_step` to
    probabilities.
    """

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the image of the plane."""
        split = None if task.data is None else (task.data.splits or {}).get(stage)
        plane = len(task.columns.numbers) == 2 and not task.columns.categories
        if split is None or not plane:
            return

        chosen = split.indices[:: max(1, len(split.indices) // MOST)]
        (batch,) = split.source.batches(chosen, len(chosen)).as_numpy_iterator()
        trainer.log_figure(
            f"{stage}/decision_boundary", boundary_figure(task, batch[0]["numbers"], batch[1])
        )


def boundary_figure(task: Any, points: NDArray[np.floating], labels: NDArray[np.integer]) -> Any:
    """Draw the probabilities that a task predicts all over the plane.

    Args:
        task: A TabularClassification of two numeric columns.
        points: Examples, of shape (rows, 2).
        labels: Their classes.

    Returns:
        A matplotlib Figure that belongs to no window.

    Example:
        >>> boundary_figure(task, x, y).savefig("boundary.png")
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)

    lines = [np.linspace(*ends, SIDE, dtype=np.float32) for ends in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*lines), axis=-1)
    probabilities = np.asarray(task.predict_step({"numbers": grid.reshape(-1, 2)}))
    probabilities = probabilities.reshape(SIDE, SIDE, -1)

    classes = probabilities.shape[-1]
    colors = colormaps["tab10"](np.arange(classes) % 10)[:, :3]
    figure = Figure(figsize=(6, 5.5), layout=PanelLayout())
    axes = figure.add_subplot()

    extent = (low[0], high[0], low[1], high[1])
    mixed = 0.45 + 0.55 * np.clip(probabilities @ colors, 0.0, 1.0)  # paler than the dots
    axes.imshow(mixed, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")

    ranked = np.sort(probabilities, axis=-1)
    if classes == 2:
        axes.contour(*lines, probabilities[..., 1], levels=[0.5], colors="black", linewidths=1.2)
    else:
        axes.contour(*lines, ranked[..., -1] - ranked[..., -2], levels=[0.02], colors="black")

    for number, name in enumerate(task.class_names):
        of_class = points[labels == number]
        style = {"color": colors[number], "edgecolors": "white", "linewidths": 0.4}
        axes.scatter(of_class[:, 0], of_class[:, 1], s=14, **style)
        axes.scatter([], [], s=30, color=colors[number], label=name)

    predicted = np.asarray(task.predict_step({"numbers": points})).argmax(axis=-1)
    right = (predicted == labels).mean()
    axes.set_title(f"{right:.1%} of {len(labels):,} right")
    axes.set_xlabel(task.columns.numbers[0])
    axes.set_ylabel(task.columns.numbers[1])
    axes.legend(title="class", loc="upper right")
    return figure
