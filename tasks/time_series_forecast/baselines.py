"""Forecasts that need no network: the baselines that a network must beat."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.series_store import SeriesStore

CHUNK = 4096  # windows in memory at once
RIDGE = 1e-8  # of the largest square; windows that never change would be singular without it

Forecasts = NDArray[np.float64]
Rows = NDArray[np.int64]


def naive_forecast(store: SeriesStore, origins: Rows, horizon: int) -> Forecasts:
    """Forecast the last known value, for every step.

    Args:
        store: The series.
        origins: The first row to forecast of each window, shape (windows,).
        horizon: Rows to forecast.

    Returns:
        Float64 of shape (windows, horizon, targets).

    Example:
        >>> x = np.array([[1.0], [2.0], [3.0]], np.float32)
        >>> store = SeriesStore(x, np.arange(3), np.array([0, 3]), ("",), ("y",))
        >>> naive_forecast(store, np.array([2]), 1).tolist()
        [[[2.0]]]
    """
    last = store.target_values[origins - 1].astype(np.float64)
    return np.repeat(last[:, np.newaxis], horizon, axis=1)


def seasonal_forecast(store: SeriesStore, origins: Rows, horizon: int, season: int) -> Forecasts:
    """Forecast the value at the same place of the last known season.

    Where a series does not go back that far, its first value takes that place.

    Args:
        store: As of `naive_forecast`.
        origins: As of `naive_forecast`.
        horizon: As of `naive_forecast`.
        season: Rows of a season.
    """
    steps = np.arange(horizon)
    back = (steps // season + 1) * season
    rows = origins[:, np.newaxis] + steps - back  # (windows, horizon)
    first = store.starts[store.series_of(origins)][:, np.newaxis]
    values: Forecasts = store.target_values[np.maximum(rows, first)].astype(np.float64)
    return values


class LinearForecast:
    """The best linear forecast of each target from its own window, by least squares.

    Values are taken less the last known one, as in NLinear (Zeng et al. 2022,
    https://arxiv.org/abs/2205.13504), and series share the weights. The squares are summed over
    chunks of windows, so that no more than `CHUNK` windows are in memory.

    Args:
        store: The series.
        origins: Of the training windows.
        history: Rows before an origin.
        horizon: Rows to forecast.
        scale: By what the values of each series are divided, shape (series, targets).

    Example:
        >>> x = np.arange(20, dtype=np.float32)[:, None]
        >>> store = SeriesStore(x, np.arange(20), np.array([0, 20]), ("",), ("y",))
        >>> line = LinearForecast(store, np.arange(3, 15), 3, 1, np.ones((1, 1)))
        >>> round(float(line.forecast(store, np.array([18]))[0, 0, 0]), 3)
        18.0
    """

    def __init__(
        self,
        store: SeriesStore,
        origins: Rows,
        history: int,
        horizon: int,
        scale: NDArray[np.floating],
    ) -> None:
        self.history, self.horizon, self.scale = history, horizon, scale
        targets = len(store.targets)
        squares = np.zeros((targets, history, history))
        products = np.zeros((targets, history, horizon))

        for chunk in _chunks(origins):
            x, last, scales = self._windows(store, chunk)
            rows = store.target_values[chunk[:, np.newaxis] + np.arange(horizon)]
            y = (rows.transpose(2, 0, 1) - last) / scales
            squares += x.transpose(0, 2, 1) @ x
            products += x.transpose(0, 2, 1) @ y

        size = np.trace(squares, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
        self.weights = np.linalg.solve(squares + RIDGE * (size + 1.0) * np.eye(history), products)

    def forecast(self, store: SeriesStore, origins: Rows) -> Forecasts:
        """Return forecasts of shape (windows, horizon, targets)."""
        parts = []
        for chunk in _chunks(origins):
            x, last, scales = self._windows(store, chunk)
            parts.append((x @ self.weights * scales + last).transpose(1, 2, 0))
        return np.concatenate(parts)

    def _windows(self, store: SeriesStore, origins: Rows) -> tuple[Any, Any, Any]:
        """Return inputs (targets, windows, history), last values, scales (targets, windows, 1)."""
        rows = origins[:, np.newaxis] + np.arange(-self.history, 0)
        values = store.target_values[rows].astype(np.float64).transpose(2, 0, 1)
        last = values[:, :, -1:]
        scales = self.scale[store.series_of(origins)].T[:, :, np.newaxis]

        x = (values - last) / scales
        x[:, :, -1] = 1.0  # the last value less itself is always 0: its place takes the constant
        return x, last, scales


def errors(truth: Forecasts, forecast: Forecasts, scale: NDArray[np.floating]) -> dict[str, float]:
    """Return the four errors that the task logs.

    Args:
        truth: Of shape (windows, horizon, targets).
        forecast: The same.
        scale: The naive error of each window's series, for MASE, shape (windows, targets).

    Example:
        >>> one = np.ones((1, 1, 1))
        >>> errors(2 * one, one, np.ones((1, 1)))["mape"]
        50.0
    """
    error = np.abs(truth - forecast)
    nonzero = truth != 0
    shares = error[nonzero] / np.abs(truth[nonzero])
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(error.mean()),
        "mape": float(100.0 * np.mean(shares)) if nonzero.any() else 0.0,
        "mase": float(np.mean(error / scale[:, np.newaxis])),
    }


def _chunks(origins: Rows) -> Iterator[Rows]:
    for start in range(0, len(origins), CHUNK):
        yield origins[start : start + CHUNK]
