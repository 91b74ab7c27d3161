"""Forecast time series."""

from lightning_tf.tasks.time_series_forecast.time_series_forecast import (
    TimeSeriesForecast as TimeSeriesForecast,
)
