"""DetectionConfusion: which objects are detected as which class, missed or made up."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.common.confusion_matrix import MOST_CONFUSED_CLASSES, confusion_figure
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.detection_report import (
    DetectionReport,
    use_threshold,
)
from lightning_tf.trainer import Trainer

BACKGROUND, MISSED = "(background)", "(missed)"


class DetectionConfusion(DetectionReport):
    """Logs the confusion matrix of detections, with the background as one more class.

    Loggers get a figure and a table named ``val/detection_confusion`` or
    ``test/detection_confusion``: rows are true classes and last the background, where a detection
    has no object; columns are detected classes and last the objects that were missed. See
    `confusion_counts`.

    Works with every task that has a `MeanAveragePrecision` among its host metrics. More than 100
    classes make a table alone.

    Args:
        score_threshold: Detections below it are left out; None takes the task's.
        iou: From here on a detection has found an object.
    """

    def __init__(self, score_threshold: float | None = None, iou: float = 0.5) -> None:
        super().__init__()
        self.score_threshold, self.iou = score_threshold, iou

    def report_metric(
        self, trainer: Trainer, task: Any, stage: str, metric: MeanAveragePrecision
    ) -> None:
        """Log the matrix."""
        threshold = use_threshold(task, self.score_threshold)
        counts = metric.confusion(threshold, self.iou)
        if not counts.any():
            return

        name, classes = f"{stage}/detection_confusion", metric.class_names
        if len(classes) <= MOST_CONFUSED_CLASSES:
            figure = detection_confusion_figure(counts, classes, threshold, self.iou)
            trainer.log_figure(name, figure)
        truth = [*classes, BACKGROUND]
        rows = [[true, *row] for true, row in zip(truth, counts.tolist(), strict=True)]
        trainer.log_table(name, ["true", *classes, MISSED], rows)


def detection_confusion_figure(
    counts: NDArray[np.int64], class_names: Sequence[str], threshold: float, iou: float
) -> Any:
    """Draw a confusion matrix with background.

    Args:
        counts: As of `confusion_counts`.
        class_names: A name for each class.
        threshold: Of the scores, for the title.
        iou: For the title.

    Returns:
        A matplotlib Figure that belongs to no window.
    """
    figure = confusion_figure(counts, [*class_names, BACKGROUND])
    axes = figure.axes[0]
    labels = [*class_names, MISSED]
    font = 9 if len(labels) <= 40 else 6
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(labelsize=font)
    axes.set_xlabel("detected")
    axes.axhline(len(class_names) - 0.5, color="gray", linewidth=1)
    axes.axvline(len(class_names) - 0.5, color="gray", linewidth=1)

    right, objects = int(np.trace(counts)), int(counts[:-1].sum())
    wrong = int(counts[:, :-1].sum()) - right
    axes.set_title(
        f"{right:,} of {objects:,} objects found, {wrong:,} detections wrong\n"
        f"(score from {threshold:.2g} on, IoU from {iou:.2g} on)"
    )
    return figure
