"""ForecastComparison: forecasts of a network and of the baselines on the same windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError
from lightning_tf.tasks.time_series_forecast.baselines import (
    LinearForecast,
    errors,
    naive_forecast,
    seasonal_forecast,
)
from lightning_tf.tasks.time_series_forecast.statistical_forecast import statistical_forecast

CHUNK = 256  # windows that the network forecasts at once
COLUMNS = ("rmse", "mae", "mape", "mase")


class ForecastComparison:
    """Forecasts of a task and of the baselines for the windows of a split.

    Attributes:
        origins: The first row of each forecast, shape (windows,).
        truth: Of shape (windows, horizon, targets).
        forecast: What `predict_step` gives, with an axis of quantiles where there are any.
        points: Point forecasts by name: the network's, ``naive``, ``seasonal_naive`` where there is
            a season, ``linear``, and those of `statistical`.

    Args:
        task: A fitted TimeSeriesForecast with data.
        stage: train, val or test.
        limit: How many windows at most, the first ones; None for all.
        statistical: Names of `statistical_forecast.MODELS` to compare with as well.

    Raises:
        DataError: There are no such windows.

    Example:
        >>> ForecastComparison(task, "test").rows()[0]
        {'forecast': 'gru', 'rmse': 9.16, 'mae': 6.57, 'mape': 0.69, 'mase': 1.5}
    """

    def __init__(
        self, task: Any, stage: str, limit: int | None = None, statistical: Sequence[str] = ()
    ) -> None:
        task.data.setup("fit")
        splits = task.data.splits
        if stage not in splits:
            raise DataError(f"There are no {stage} windows to compare; there are {list(splits)}.")

        self.task, self.store = task, task.data.store
        self.origins = splits[stage].indices[:limit]
        horizon = task.horizon
        rows = self.origins[:, np.newaxis] + np.arange(horizon)
        self.truth = self.store.target_values[rows].astype(np.float64)  # (windows, horizon, ...)
        self.forecast = self._predict(splits[stage].source)

        naive_error = np.asarray(task.transform.naive_error.numpy(), np.float64)
        if self.store.numbers is not None:  # of the series that these data have, in their order
            naive_error = naive_error[self.store.numbers]
        self.scale = naive_error[self.store.series_of(self.origins)]

        quantiles = task.quantiles
        median = self.forecast[..., quantiles.index(0.5)] if quantiles else self.forecast
        self.points = {
            task.model.name: median,
            "naive": naive_forecast(self.store, self.origins, horizon),
        }
        if task.season is not None:
            self.points["seasonal_naive"] = seasonal_forecast(
                self.store, self.origins, horizon, task.season
            )
        line = LinearForecast(
            self.store, splits["train"].indices, task.history, horizon, naive_error
        )
        self.points["linear"] = line.forecast(self.store, self.origins)
        for name in statistical:
            self.points[name] = statistical_forecast(
                name,
                self.store,
                self.origins,
                horizon,
                season=task.season or 1,
                train_ends=task.data.boundaries[0],
            )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row of errors for each forecast, the network's first."""
        return [
            {"forecast": name, **errors(self.truth, points, self.scale)}
            for name, points in self.points.items()
        ]

    def by_horizon(self) -> dict[str, NDArray[np.float64]]:
        """Return the root mean squared error of each step, (horizon,), by forecast."""
        return {
            name: np.sqrt(np.mean((points - self.truth) ** 2, axis=(0, 2)))
            for name, points in self.points.items()
        }

    def _predict(self, source: Any) -> NDArray[np.float64]:
        step = tf.function(self.task.predict_step, autograph=False)
        batches = source.inputs(self.origins, CHUNK)
        # Of the batches' own spec: the last, smaller batch must not trace the step again.
        predict = step.get_concrete_function(batches.element_spec)
        return np.concatenate([predict(batch).numpy() for batch in batches]).astype(np.float64)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of a comparison as text.

    Example:
        >>> print(table([{"forecast": "naive", "rmse": 9.1, "mae": 6.5, "mape": 0.7, "mase": 1.5}]))
        forecast              rmse       mae      mape      mase
        naive               9.1000    6.5000    0.7000    1.5000
    """
    lines = [f"{'forecast':16}" + "".join(f"{name:>10}" for name in COLUMNS)]
    for row in rows:
        cells = "".join(f"{row[name]:>10.4f}" for name in COLUMNS)
        lines.append(f"{row['forecast']:16}{cells}")
    return "\n".join(lines)
