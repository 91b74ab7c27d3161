"""RegressionReport: predicted against true values, and learning curves, in one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.callback import Callback

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

CHUNK = 1024  # rows that are predicted at once
CURVES = {"loss": "training", "val_loss": "validation"}


class RegressionReport(Callback):
    """Logs an image when training ends and after every test.

    On the left the loss of every epoch, on the right the predicted against the true values of the
    validation or test part, at most `rows` of them, spread evenly. The figure's name is
    ``val/regression`` or ``test/regression``. The curves are part of the state that checkpoints
    hold, so a resumed run draws them whole.

    Works with every task on a `FeatureTable` whose `predict_step` gives (batch, targets).

    Args:
        rows: How many points at most.
    """

    logs_metrics = False

    def __init__(self, rows: int = 2000) -> None:
        self.rows = rows
        self.curves: dict[str, list[list[float]]] = {name: [] for name in CURVES}

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Take the losses of the epoch."""
        for name, points in self.curves.items():
            if name in trainer.callback_metrics:
                points.append([trainer.current_epoch + 1, trainer.callback_metrics[name]])

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Show the validation part."""
        if trainer.num_val_batches != 0:
            self._log(trainer, task, "val")

    def on_test_end(self, trainer: Trainer, task: Any) -> None:
        """Show the test part."""
        self._log(trainer, task, "test")

    def state_dict(self) -> dict[str, Any]:
        """The curves."""
        return {"curves": {name: list(points) for name, points in self.curves.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the curves back."""
        self.curves.update(state["curves"])

    def _log(self, trainer: Trainer, task: Any, stage: str) -> None:
        part = None if task.data is None else (task.data.splits or {}).get(stage)
        if not trainer.loggers or part is None:
            return
        last = len(part.indices) - 1
        chosen = np.unique(np.linspace(0, last, min(self.rows, last + 1)).round().astype(int))
        predict = tf.function(task.predict_step, autograph=False)
        pairs = [
            (y.numpy(), predict(inputs).numpy())
            for inputs, y in part.source.batches(part.indices[chosen], CHUNK)
        ]
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

    drawn = {name: points for name, points in curves.items() if points}
    panels = len(names) + bool(drawn)
    figure = Figure(figsize=(0.5 + 4.5 * panels, 4.2), layout="constrained")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    if drawn:
        curve = axes.pop(0)
        for name, points in drawn.items():
            epochs, losses = zip(*points, strict=True)
            curve.plot(epochs, losses, marker=".", label=CURVES[name])
        curve.set_title("learning curves")
        curve.set_xlabel("epoch")
        curve.set_ylabel("loss of scaled values")
        if all(loss > 0 for points in drawn.values() for _, loss in points):
            curve.set_yscale("log")
        curve.grid(alpha=0.3)
        curve.legend()
    for place, (panel, name) in enumerate(zip(axes, names, strict=True)):
        x, y = truth[:, place], predicted[:, place]
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        panel.plot(ends, ends, color="black", linewidth=1, label="predicted = true")
        panel.scatter(x, y, s=8, alpha=0.4, color="tab:blue", linewidths=0)
        off = np.abs(x - y).mean()
        panel.set_title(f"{name}: mean absolute error {off:.4g}")
        panel.set_xlabel("true")
        panel.set_ylabel("predicted")
        panel.set_aspect("equal", adjustable="datalim")
        panel.grid(alpha=0.3)
        panel.legend(loc="upper left")
    return figure
