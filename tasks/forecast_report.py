"""ForecastReport: whether a forecasting network is worth it, as a table, numbers and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning_tf.callback import Callback
from lightning_tf.tasks.forecast_comparison import COLUMNS, ForecastComparison
from lightning_tf.tasks.forecast_figures import forecast_figure, horizon_figure

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer


class ForecastReport(Callback):
    """Logs forecasts beside those that need no network, after training and after every test.

    Loggers get a table ``val/baselines`` or ``test/baselines`` with the errors of the network and
    of the naive, the seasonal-naive and the linear forecast on the same windows, the errors of
    these as numbers (``test_naive_rmse``, ...), and the figures ``test/forecast`` and
    ``test/error_by_horizon``; of validation the same without the numbers. It costs one more forward
    pass over the part.

    Works with every task that has the attributes of a TimeSeriesForecast.
    """

    logs_metrics = False

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the validation part."""
        if trainer.num_val_batches != 0:
            self._log(trainer, task, "val", trainer.num_val_batches)

    def on_test_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the test part."""
        self._log(trainer, task, "test", trainer.num_test_batches)

    def _log(self, trainer: Trainer, task: Any, stage: str, batches: Any) -> None:
        if not trainer.loggers or task.walking or stage not in (task.data.parts or {}):
            return
        limit = None if batches is None else int(batches) * task.data.batch_size
        comparison = ForecastComparison(task, stage, limit)
        rows = comparison.rows()
        columns = ["forecast", *COLUMNS]
        cells = [[row[column] for column in columns] for row in rows]
        trainer.log_table(f"{stage}/baselines", columns, cells)
        if stage == "test":  # in validation they would be curves of one point
            trainer.log_metrics(
                {f"test_{row['forecast']}_{c}": row[c] for row in rows[1:] for c in COLUMNS}
            )
        trainer.log_figure(f"{stage}/forecast", forecast_figure(comparison))
        trainer.log_figure(f"{stage}/error_by_horizon", horizon_figure(comparison))
