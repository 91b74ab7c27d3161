"""AveragePrecisionTable: the average precision of each class, as a table."""

from typing import Any

from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.detection_report import DetectionReport
from lightning_tf.trainer import Trainer

COLUMNS = ("class", "objects", "map", "map_50", "map_75", "mar_100", "best_f1", "threshold")


class AveragePrecisionTable(DetectionReport):
    """Logs a row for each class: its objects, COCO's numbers, and the threshold of the best F1.

    Loggers get a table of the name ``val/average_precision`` or ``test/average_precision``. F1 and
    its threshold are of IoU 0.5. Classes without an object are left out.

    Works with every task that has a `MeanAveragePrecision` among its host metrics.
    """

    def report_metric(
        self, trainer: Trainer, task: Any, stage: str, metric: MeanAveragePrecision
    ) -> None:
        """Log the table."""
        numbers, curves = metric.per_class(), metric.curves()
        rows = [
            [curve.name, *numbers[curve.name].values(), curve.best_f1, curve.best_threshold]
            for curve in curves
        ]
        if rows:
            trainer.log_table(f"{stage}/average_precision", COLUMNS, rows)
