"""DetectionReport: base of the callbacks that show what a detector's metric has seen."""

from typing import Any

from lightning_tf.tasks.common.stage_report import StageReport
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.trainer import Trainer


class DetectionReport(StageReport):
    """Reports on the last validation when training ends, after `Trainer.validate` and every test.

    It reads what the task's `MeanAveragePrecision` holds then: nothing is predicted a second time,
    and without a logger nothing is computed. The sanity check is not reported on.
    """

    def __init__(self) -> None:
        self._metric: MeanAveragePrecision | None = None
        self._is_fitting = False

    def on_fit_start(self, trainer: Trainer, task: Any) -> None:
        """Forget what was measured before."""
        self._metric, self._is_fitting = None, True

    def on_validation_end(self, trainer: Trainer, task: Any) -> None:
        """Keep what the validation has measured; report at once outside of training."""
        if trainer.sanity_checking:
            return
        self._metric = find_metric(task)
        if not self._is_fitting and trainer.loggers:
            self.report(trainer, task, "val")

    def on_test_end(self, trainer: Trainer, task: Any) -> None:
        """Report on what the test has measured."""
        self._metric = find_metric(task)
        super().on_test_end(trainer, task)

    def teardown(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Let go of what was measured."""
        self._metric, self._is_fitting = None, False

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the report, if anything has been measured; of several workers the chief alone."""
        if trainer.is_global_zero and self._metric is not None and self._metric.images:
            self.report_metric(trainer, task, stage, self._metric)

    def report_metric(
        self, trainer: Trainer, task: Any, stage: str, metric: MeanAveragePrecision
    ) -> None:
        """Log the report of a stage; a subclass writes it.

        Args:
            trainer: Whose loggers get it.
            task: What is reported on.
            stage: val or test, also how the report's names begin.
            metric: Which has seen all images of the evaluation.
        """
        raise NotImplementedError(f"{type(self).__name__} has no report_metric; write one.")


def find_metric(task: Any) -> MeanAveragePrecision | None:
    """Return the task's metric of the latest evaluation, None where it has no such metric."""
    metrics = task.host_metrics.values()
    return next((m for m in metrics if isinstance(m, MeanAveragePrecision)), None)


def use_threshold(task: Any, threshold: float | None) -> float:
    """Return the threshold itself, or where it is None the task's `score_threshold`, else 0.3."""
    if threshold is not None:
        return threshold
    return float(getattr(task, "score_threshold", 0.3))
