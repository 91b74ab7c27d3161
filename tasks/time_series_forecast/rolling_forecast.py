"""rolling_forecast: any number of rows beyond the end of a history."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError
from lightning_tf.tasks.time_series_forecast.forecast_rows import history_rows, known_rows


def rolling_forecast(
    task: Any, history: Any, steps: int, *, known: Any = None, series: Any = None
) -> NDArray[np.float64]:
    """Forecast `steps` rows; beyond the horizon, from what has been forecast before.

    Args:
        task: A fitted TimeSeriesForecast.
        history: At least `task.history` rows in the data's units. A DataFrame, Series or arrays by
            column with the columns of the data: rows of other series are left out, and those of
            this one put in order of time. Or an array (rows, channels), the latest row last: the
            targets first, then the unknown, then the known features; (rows,) where there is one
            channel.
        steps: Rows to forecast.
        known: The known features of these rows: a table, joined by time, or an array (steps,
            features).
        series: The name of one, where there are several and the history has more than one.

    Returns:
        Float64 of shape (steps, targets), with quantiles (steps, targets, quantiles). Beyond the
        horizon quantiles start from the median and leave out its own error: they are too narrow.

    Raises:
        DataError: The history is too short or has missing values, columns, series or times do not
            fit those of the data, or features would have to be known that are not.
    """
    spec = task.spec
    start_rows = history_rows(spec, task.reading, history, series, task.history)

    if steps > task.horizon and spec.unknown:
        raise DataError(
            f"steps={steps} goes beyond horizon={task.horizon}, where "
            f"{', '.join(spec.unknown)} would have to be known; forecast up to the horizon, or "
            "leave these features out."
        )
    future = known_rows(spec, start_rows, known, steps)
    rows = start_rows.values[-task.history :]

    parts: list[NDArray[np.float64]] = []
    for start in range(0, steps, task.horizon):
        ahead = future[start : start + task.horizon]
        # The network takes a whole horizon; what it forecasts for padded rows is cut off.
        padding = [(0, task.horizon - len(ahead)), (0, 0)]
        padded = np.pad(ahead, padding, mode="edge")
        inputs = {
            "past": tf.constant(rows[np.newaxis, -task.history :]),
            "future": tf.constant(padded[np.newaxis]),
            "series": tf.constant([start_rows.series], tf.int32),
        }

        forecast = task.predict_step(inputs)
        parts.append(forecast.numpy()[0, : len(ahead)])
        point = task.built.point(forecast).numpy()[0, : len(ahead)]
        if start + task.horizon < steps:  # refused above where there are unknown features
            rows = np.concatenate([rows, np.concatenate([point, ahead], axis=1)])
    return np.concatenate(parts)
