"""walk_forward: a forecasting task tested on consecutive stretches of time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.indexed_data import Split
from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.data.series.series_windows import window_origins
from lightning_tf.exceptions import DataError
from lightning_tf.tasks.time_series_forecast.baselines import errors, naive_forecast
from lightning_tf.trainer import Trainer


def walk_forward(
    task: Any, trainer: Trainer, folds: int, refit: Callable[[], Trainer] | None = None
) -> list[dict[str, Any]]:
    """Test on consecutive stretches of the test split, oldest first.

    The times of the test split are cut into `folds` stretches of equal length, the same for all
    series; of rows without times, those of each series. Each stretch is tested by itself, its
    windows with all rows before them as history. With `refit`, training first goes on
    with all rows before the stretch (the scales stay those of the first training split); otherwise
    the task stays as it is, which shows how it ages.

    Args:
        task: A fitted TimeSeriesForecast with data.
        trainer: Tests.
        folds: How many stretches.
        refit: Makes a Trainer that fits the task anew before each stretch but the first.

    Returns:
        A row for each stretch: ``from``, the first time that is forecast, ``windows``, what
        ``Trainer.test`` measured, and ``naive_rmse``, ``naive_mae``, the errors of a forecast that
        repeats the last known value.

    Raises:
        ConfigurationError: `folds` is below 1.
        DataError: A stretch is shorter than the horizon.

    Example:
        >>> rows = walk_forward(task, trainer, folds=4)
        >>> [round(row["test_rmse"], 2) for row in rows]
        [7.9, 8.1, 10.2, 10.1]
    """
    folds = checked_integer("folds", folds, least=1)
    data = task.data
    data.setup("fit")
    store, splits = data.store, dict(data.splits)
    if "test" not in splits:
        raise DataError("No test split to walk through; give test_from= or test_fraction=.")

    starts, bounds = store.starts[:-1], stretches(store, data.boundaries[1], folds)
    source, rows = splits["test"].source, []

    def origins(first: Any, last: Any) -> Any:
        return window_origins(starts, first, last, data.history, data.horizon)

    task.walking = True  # no report of every stretch
    try:
        for fold in range(folds):
            first, last = bounds[fold : fold + 2]
            windows = origins(first, last)
            if not len(windows):
                raise DataError(
                    f"Stretch {fold + 1} of {folds} has no window of horizon={data.horizon}; take "
                    "fewer folds."
                )

            data.splits = {**splits, "test": Split(source, windows)}
            if refit is not None and fold:
                data.splits["train"] = Split(source, origins(starts, first))
                data.splits.pop("val", None)  # its rows are trained on now
                refit().fit(task)

            metrics = trainer.test(task)
            time = np.min(store.times[windows])
            naive = _naive_errors(store, windows, data.horizon)
            rows.append({"from": time, "windows": len(windows), **metrics, **naive})
    finally:
        data.splits, task.walking = splits, False
    return rows


def _naive_errors(store: SeriesStore, windows: NDArray[np.int64], horizon: int) -> dict[str, float]:
    rows = windows[:, np.newaxis] + np.arange(horizon)
    truth = store.target_values[rows].astype(np.float64)  # (windows, horizon, targets)
    forecast = naive_forecast(store, windows, horizon)
    measured = errors(truth, forecast, np.ones_like(truth[:, 0]))
    return {f"naive_{name}": measured[name] for name in ("rmse", "mae")}


def stretches(store: SeriesStore, begins: NDArray[np.int64], folds: int) -> list[NDArray[np.int64]]:
    """Return the first rows of consecutive stretches in every series, and the ends.

    Args:
        store: The series.
        begins: The first row of the first stretch in every series.
        folds: How many stretches.

    Returns:
        One more than `folds`, each of shape (series,).
    """
    ends = store.starts[1:]
    if store.reading.time is None:  # row numbers of two series have nothing to do with each other
        return [begins + (ends - begins) * number // folds for number in range(folds + 1)]

    pieces = [store.times[begin:end] for begin, end in zip(begins, ends, strict=True)]
    times = np.unique(np.concatenate(pieces))
    bounds = [begins]
    for number in range(1, folds):
        first = times[len(times) * number // folds]
        places = [np.searchsorted(piece, first) for piece in pieces]
        bounds.append(begins + np.array(places, np.int64))
    return [*bounds, ends]
