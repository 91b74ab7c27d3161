"""RegressionReport: predicted against true values, and learning curves, in one image."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.tasks.common.stage_report import StageReport, spread_evenly
from lightning_tf.trainer import Trainer

CURVES = {"loss": "training", "val_loss": "validation"}


class RegressionReport(StageReport):
    """Logs an image when training ends and after every test.

    On the left the loss of every epoch, on the right the predicted against the true values of the
    validation or test split, at most `rows` of them, spread evenly. The figure's name is
    ``val/regression`` or ``test/regression``. The curves are part of the state that checkpoints
    hold, so a resumed run draws them whole.

    Works with every task on data that are read by index, whose `predict_step` gives (batch,
    targets).

    Args:
        rows: How many points at most.
        batch_size: How many are predicted at once.
    """

    def __init__(self, rows: int = 2000, batch_size: int = 1024) -> None:
        self.rows, self.batch_size = rows, batch_size
        self.curves: dict[str, list[list[float]]] = {name: [] for name in CURVES}

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Note the losses of the epoch."""
        for name, points in self.curves.items():
            if name in trainer.callback_metrics:
                points.append([trainer.current_epoch + 1, trainer.callback_metrics[name]])

    def state_dict(self) -> dict[str, Any]:
        """Return the curves."""
        return {"curves": {name: list(points) for name, points in self.curves.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the curves."""
        self.curves.update(state["curves"])

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log curves and predictions."""
        split = (getattr(task.data, "splits", None) or {}).get(stage)
        if split is None:
            return

        chosen = split.indices[spread_evenly(len(split.indices), self.rows)]
        step = tf.function(task.predict_step, autograph=False)
        batches = split.source.batches(chosen, self.batch_size)
        # Of the batches' own spec: the last, smaller batch must not trace the step again.
        predict = step.get_concrete_function(batches.element_spec[0])
        pairs = [(y.numpy(), predict(x).numpy()) for x, y in batches]

        truth, predicted = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
        figure = regression_figure(truth, predicted, self.curves, task.targets)
        trainer.log_figure(f"{stage}/regression", figure)


def regression_figure(
    truth: NDArray[np.floating],
    predicted: NDArray[np.floating],
    curves: dict[str, list[list[float]]],
    names: list[str],
) -> Any:
    """Draw learning curves, and predictions over the truth.

    Args:
        truth: Of shape (rows, targets).
        predicted: The same.
        curves: Pairs of epoch and loss, for ``loss`` and ``val_loss``.
        names: Of the targets.

    Returns:
        A matplotlib Figure that belongs to no window.

    Example:
        >>> figure = regression_figure(y, predicted, {"loss": [[1, 0.5], [2, 0.3]]}, ["price"])
        >>> figure.savefig("regression.png")
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    curves = {name: points for name, points in curves.items() if points}
    panels = len(names) + bool(curves)
    figure = Figure(figsize=(0.5 + 4.5 * panels, 4.2), layout=PanelLayout())
    axes = list(figure.subplots(1, panels, squeeze=False)[0])

    if curves:
        _draw_curves(axes.pop(0), curves)
    for place, (panel, name) in enumerate(zip(axes, names, strict=True)):
        _draw_predictions(panel, name, truth[:, place], predicted[:, place])
    return figure


def _draw_curves(axes: Any, curves: dict[str, list[list[float]]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, points in curves.items():
        epochs, losses = zip(*points, strict=True)
        axes.plot(epochs, losses, marker=".", label=CURVES[name])
    if all(loss > 0 for points in curves.values() for _, loss in points):
        axes.set_yscale("log")

    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.set_title("learning curves")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss of scaled values")
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_predictions(axes: Any, name: str, truth: Any, predicted: Any) -> None:
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, color="black", linewidth=1, label="predicted = true")
    axes.scatter(truth, predicted, s=8, alpha=0.4, color="tab:blue", linewidths=0)

    error = np.abs(truth - predicted).mean()
    axes.set_title(f"{name}: mean absolute error {error:.4g}")
    axes.set_xlabel("true")
    axes.set_ylabel("predicted")
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
