"""PrecisionRecallCurves: precision over recall of each class, as a figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.detection_report import DetectionReport
from lightning_tf.tasks.object_detection.reports.precision_recall import (
    PrecisionRecall,
    best_common_threshold,
)
from lightning_tf.trainer import Trainer

MOST_NAMED_CLASSES = 12  # more lines cannot be told apart


class PrecisionRecallCurves(DetectionReport):
    """Logs precision over recall of each class at an IoU of 0.5, with the threshold of best F1.

    Loggers get a figure of the name ``val/precision_recall`` or ``test/precision_recall``. A dot
    marks where a class's F1 is best, the legend has F1 and the score from which on detections are
    kept there; the title has the one threshold for all classes, a good `score_threshold`. Precision
    is interpolated as for COCO's AP. Of more than 12 classes the 12 with most objects are named.

    Works with every task that has a `MeanAveragePrecision` among its host metrics.
    """

    def report_metric(
        self, trainer: Trainer, task: Any, stage: str, metric: MeanAveragePrecision
    ) -> None:
        """Log the figure."""
        curves = metric.curves()
        if curves:
            average = {name: row["map_50"] for name, row in metric.per_class().items()}
            trainer.log_figure(
                f"{stage}/precision_recall", precision_recall_figure(curves, average)
            )


def precision_recall_figure(curves: Sequence[PrecisionRecall], average: dict[str, float]) -> Any:
    """Draw precision over recall.

    Args:
        curves: One for each class.
        average: The average precision of each class by name.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    from matplotlib.figure import Figure

    from lightning_tf.panel_layout import PanelLayout

    figure = Figure(figsize=(9.5, 5.2), layout=PanelLayout())
    axes = figure.add_subplot()
    most = sorted(curves, key=lambda curve: -curve.objects)[:MOST_NAMED_CLASSES]
    named = {curve.name for curve in most}

    for curve in curves:
        if curve.name not in named:
            axes.plot(*_line(curve), color="lightgray", linewidth=0.8, zorder=1)
    colors = iter(range(len(named)))
    for curve in curves:
        if curve.name in named:
            _draw_curve(axes, curve, average[curve.name], next(colors))

    axes.set(xlim=(0.0, 1.005), ylim=(0.0, 1.03), xlabel="recall", ylabel="precision (IoU 0.5)")
    axes.grid(alpha=0.3)
    unnamed = len(curves) - len(named)
    title = f"in gray {unnamed} more classes" if unnamed else None
    beside: Any = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    axes.legend(fontsize=9, title=title, frameon=False, **beside)
    axes.set_title(_title(curves, average))
    return figure


def _draw_curve(axes: Any, curve: PrecisionRecall, average: float, place: int) -> None:
    from matplotlib import colormaps

    color = colormaps["tab20"]((2 * place) % 20 + (2 * place) // 20)
    text, threshold = f"{curve.name}: AP50 {average:.3f}", curve.best_threshold
    if threshold is not None:
        text += f"\nF1 {curve.best_f1:.3f} from {threshold:.2f} on"
        best = int(curve.f1.argmax())
        axes.plot(curve.recall[best], curve.interpolated[best], "o", color=color, markersize=6)
    axes.plot(*_line(curve), color=color, linewidth=1.8, label=text)


def _line(curve: PrecisionRecall) -> tuple[Any, Any]:
    """Return recall and precision of a line from recall 0 to where the curve falls to 0."""
    if not len(curve.scores):
        return [0.0], [0.0]
    recall = np.concatenate([[0.0], curve.recall, curve.recall[-1:]])
    return recall, np.concatenate([curve.interpolated[:1], curve.interpolated, [0.0]])


def _title(curves: Sequence[PrecisionRecall], average: dict[str, float]) -> str:
    mean = np.mean([average[curve.name] for curve in curves])
    title = f"mAP50 {mean:.3f}"
    best = best_common_threshold(curves)
    if best is None:
        return title
    threshold, f1 = best
    return f"{title}; best mean F1 {f1:.3f} with the detections from a score of {threshold:.2f} on"
