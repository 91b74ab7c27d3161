"""Forecasts without a network are what their definitions say."""

import numpy as np
import pytest

from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.tasks.time_series_forecast import baselines as forecast_baselines
from lightning_tf.tasks.time_series_forecast.baselines import (
    LinearForecast,
    errors,
    naive_forecast,
    seasonal_forecast,
)


def store(values, *more):
    series = [np.asarray(column, np.float32).reshape(len(column), -1) for column in (values, *more)]
    starts = np.cumsum([0, *map(len, series)])
    targets = tuple(f"y{n}" for n in range(series[0].shape[1]))
    rows = np.concatenate(series)
    return SeriesStore(rows, np.arange(len(rows)), starts, tuple("ab"[: len(series)]), targets)


def test_the_last_value_and_the_last_season_are_repeated():
    series = store(np.arange(20.0))
    assert naive_forecast(series, np.array([10, 12]), 3)[:, :, 0].tolist() == [[9] * 3, [11] * 3]
    repeated = seasonal_forecast(series, np.array([10]), 7, season=3)[0, :, 0]
    assert repeated.tolist() == [7, 8, 9, 7, 8, 9, 7]


def test_a_season_before_the_series_is_its_first_value_and_not_another_series():
    series = store(np.arange(10.0), 100 + np.arange(10.0))
    assert seasonal_forecast(series, np.array([12]), 2, season=5).ravel().tolist() == [100, 100]


def test_the_linear_forecast_is_that_of_least_squares(monkeypatch):
    from sklearn.linear_model import LinearRegression

    monkeypatch.setattr(forecast_baselines, "CHUNK", 7)
    values = np.cumsum(np.random.default_rng(0).normal(size=(120, 2)), axis=0)
    series, origins, asked = store(values), np.arange(5, 90), np.arange(90, 118)
    result = LinearForecast(series, origins, 5, 2, np.array([[3.0, 0.1]])).forecast(series, asked)
    for target in range(2):
        y = series.values[:, target].astype(float)
        x = y[origins[:, None] + np.arange(-5, 0)]
        model = LinearRegression().fit(
            x[:, :-1] - x[:, -1:], y[origins[:, None] + np.arange(2)] - x[:, -1:]
        )
        x = y[asked[:, None] + np.arange(-5, 0)]
        expected = model.predict(x[:, :-1] - x[:, -1:]) + x[:, -1:]
        np.testing.assert_allclose(result[:, :, target], expected, atol=1e-3)


def test_a_series_that_never_changes_is_forecast_as_it_is():
    series = store(np.full(30, 5.0))
    line = LinearForecast(series, np.arange(4, 20), 4, 2, np.ones((1, 1)))
    np.testing.assert_allclose(line.forecast(series, np.array([25])).ravel(), [5, 5])


def test_errors_are_those_of_scikit_learn():
    from sklearn.metrics import mean_absolute_percentage_error, root_mean_squared_error

    random = np.random.default_rng(0)
    truth, forecast = random.normal(size=(2, 6, 3, 1))
    result = errors(truth, forecast, np.full((6, 1), 2.0))
    flat = truth.ravel(), forecast.ravel()
    assert result["rmse"] == pytest.approx(root_mean_squared_error(*flat))
    assert result["mape"] == pytest.approx(100 * mean_absolute_percentage_error(*flat))
    assert result["mase"] == pytest.approx(result["mae"] / 2)
