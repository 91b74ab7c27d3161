"""rolling_forecast: any number of rows beyond the end of a history."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError, nearest


def rolling_forecast(
    task: Any, history: Any, steps: int, *, known: Any = None, series: str | None = None
) -> NDArray[np.float32]:
    """Forecast `steps` rows; beyond the horizon, from what has been forecast before.

    Args:
        task: A fitted TimeSeriesForecast.
        history: The latest rows in the data's units, at least `task.history` of them: a DataFrame
            with the columns of the data, or an array (rows, channels), the targets first, then the
            unknown, then the known features; (rows,) where there is one channel.
        steps: Rows to forecast.
        known: The known features of these rows, a DataFrame or an array (steps, features).
        series: Which series, where there are several.

    Returns:
        Float32 of shape (steps, targets), with quantiles (steps, targets, quantiles). Beyond the
        horizon quantiles start from the median and leave out its own error: they are too narrow.

    Raises:
        DataError: The history is too short or has missing values, columns are missing, or features
            would have to be known that are not.
    """
    spec = task.spec
    number = _series_number(spec.series, series)
    rows = _array("history", history, spec.channels)
    if len(rows) < task.history:
        raise DataError(
            f"history has {len(rows)} rows; the network sees {task.history}: give as many."
        )

    if steps > task.horizon and spec.unknown:
        raise DataError(
            f"steps={steps} goes beyond horizon={task.horizon}, where "
            f"{', '.join(spec.unknown)} would have to be known; forecast up to the horizon, or "
            "leave these features out."
        )
    future = _future(known, steps, spec.known)

    parts: list[NDArray[np.float32]] = []
    for start in range(0, steps, task.horizon):
        known_rows = future[start : start + task.horizon]
        # The network takes a whole horizon; what it forecasts for padded rows is cut off.
        padding = [(0, task.horizon - len(known_rows)), (0, 0)]
        padded = np.pad(known_rows, padding, mode="edge")
        inputs = {
            "past": tf.constant(rows[np.newaxis, -task.history :]),
            "future": tf.constant(padded[np.newaxis]),
            "series": tf.constant([number], tf.int32),
        }

        forecast = task.predict_step(inputs)
        parts.append(forecast.numpy()[0, : len(known_rows)])
        point = task.built.point(forecast).numpy()[0, : len(known_rows)]
        if start + task.horizon < steps:  # refused above where there are unknown features
            rows = np.concatenate([rows, np.concatenate([point, known_rows], axis=1)])
    return np.concatenate(parts)


def _series_number(names: list[str], series: str | None) -> int:
    if series is None and len(names) == 1:
        return 0
    if series not in names:
        raise DataError(f"series={series!r} is none of the data's.{nearest(series, names)}")
    return names.index(series)


def _future(known: Any, steps: int, names: list[str]) -> NDArray[np.float32]:
    if not names:
        return np.zeros((steps, 0), np.float32)
    if known is None:
        raise DataError(
            f"{', '.join(names)} must be known for the {steps} rows to forecast; pass known=."
        )
    rows = _array("known", known, names)
    if len(rows) < steps:
        raise DataError(f"known has {len(rows)} rows for steps={steps}; give as many.")
    return rows[:steps]


def _array(what: str, table: Any, names: list[str]) -> NDArray[np.float32]:
    columns = getattr(table, "columns", None)
    if columns is not None:
        lacking = [name for name in names if name not in columns]
        if lacking:
            raise DataError(f"{what} has no column {lacking[0]!r}.{nearest(lacking[0], columns)}")
        table = table[names]

    rows = np.asarray(table, np.float32)
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise DataError(f"{what} has shape {rows.shape}; give columns {', '.join(names)}.")

    not_finite = np.argwhere(~np.isfinite(rows))
    if len(not_finite):
        row, column = not_finite[0]
        raise DataError(f"{names[column]} of row {row} of {what} is missing or infinite; fill it.")
    return rows
