"""new_histories: rows to forecast from, of one or several series, and their forecasts as rows."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.read_series import series_names
from lightning_tf.data.series.tables import as_table
from lightning_tf.data.series.times import next_times
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.data.sources.table_file import read_table
from lightning_tf.exceptions import DataError
from lightning_tf.tasks.time_series_forecast.forecast_rows import (
    History,
    history_rows,
    is_table,
    known_rows,
)


def new_histories(
    task: Any, data: Any, known: Any, series: Any, csv_options: Mapping[str, Any]
) -> NewExamples:
    """Return the last window of each series as an example.

    Args:
        task: A TimeSeriesForecast that is built.
        data: A table with the columns of the task's own, as a file or in memory, or an array of
            one series.
        known: Features that are known of the rows to come, of all series.
        series: The name of one; None is every one that the table has.
        csv_options: ``encoding``, ``sep`` and ``quoting`` of CSV and TSV files.

    Raises:
        DataError: A series is unknown or too short, or columns or times do not fit.
    """
    spec, reading = task.spec, task.reading
    data, known = _table(data, csv_options), _table(known, csv_options)
    names = [series]
    if reading.series is not None and series is None and is_table(data):
        data = as_table(data)
        if reading.series in data:
            found = list(dict.fromkeys(series_names(data[reading.series])))
            unknown = [name for name in found if name not in spec.series]
            if unknown:
                raise DataError(
                    f"the task has learned {len(spec.series)} series and not {unknown[0]!r}; leave "
                    "its rows out."
                )
            names = found

    starts = [history_rows(spec, reading, data, name, task.history) for name in names]
    inputs = {
        "past": np.stack([start.values[-task.history :] for start in starts]),
        "future": np.stack([known_rows(spec, start, known, task.horizon) for start in starts]),
        "series": np.array([start.series for start in starts], np.int32),
    }
    columns: dict[str, Any] = {}
    if reading.series is not None:
        columns[reading.series] = [spec.series[start.series] for start in starts]
    times = [_times(start, task.horizon) for start in starts]
    if all(time is not None for time in times):
        columns[starts[0].reading.time.name] = times  # type: ignore[union-attr]
    return NewExamples(columns or {"row": range(len(starts))}, arrays=inputs)


def forecast_columns(task: Any, outputs: NDArray[Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for each step of each series.

    Args:
        task: A TimeSeriesForecast.
        outputs: Of shape (series, horizon, targets), with quantiles (..., quantiles).
        names: Columns that name the series, and their times, as many as steps.
    """
    count, horizon = outputs.shape[:2]
    columns: dict[str, Any] = {}
    for name, values in (names or {"row": range(count)}).items():
        is_time = isinstance(values[0], np.ndarray)
        columns[name] = np.concatenate(values) if is_time else np.repeat(list(values), horizon)
    columns["step"] = np.tile(np.arange(1, horizon + 1), count)

    quantiles = [f"_{quantile:g}" for quantile in task.quantiles] or [""]
    headers = [target + quantile for target in task.spec.targets for quantile in quantiles]
    flat = outputs.reshape(count * horizon, -1)
    return columns | {name: flat[:, place] for place, name in enumerate(headers)}


def _table(data: Any, csv_options: Mapping[str, Any]) -> Any:
    """Return the table of a file, with its columns as they are written; all else as it is."""
    return read_table(data, **csv_options) if isinstance(data, (str, os.PathLike)) else data


def _times(start: History, steps: int) -> NDArray[Any] | None:
    """Return the times of the rows to come; None where nobody knows them."""
    time, step = start.reading.time, start.reading.step
    if start.times is None or time is None or step is None:
        return None
    import pandas as pd

    times = next_times(start.times[-1], step, steps, time.zone)
    if time.zone is None or times.dtype.kind != "M":
        return times
    zoned = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(time.zone)
    named: NDArray[Any] = zoned.to_numpy(object)
    return named
