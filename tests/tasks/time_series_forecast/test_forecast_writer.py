"""Predictions as CSV have their series and times; stretches of a backtest have their times."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.boring import fitted, quiet

from lightning_tf import Trainer
from lightning_tf.data import TimeSeries
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.time_series_forecast.walk_forward import stretches


def two_series(zone=None):
    long, short = (pd.date_range("2020-01-01", periods=n, tz=zone) for n in (80, 60))
    return pd.concat(
        [
            pd.DataFrame({"id": "long", "t": long, "y": np.arange(80.0)}),
            pd.DataFrame({"id": "short", "t": short, "y": 1000 + np.arange(60.0)}),
        ],
        ignore_index=True,
    )


COLUMNS = {"time": "t", "series": "id", "target": "y"}


@pytest.mark.parametrize(
    "quantiles",
    [(), pytest.param((0.1, 0.5, 0.9), marks=pytest.mark.slow)],
    ids=["points", "quantiles"],
)
def test_every_forecast_is_written_with_its_series_and_time(tmp_path, quantiles):
    task = TimeSeriesForecast(
        two_series("Europe/Berlin"),
        "mlp",
        history=5,
        horizon=2,
        units=8,
        batch_size=4,
        quantiles=quantiles,
        data_options=COLUMNS,
    )
    trainer = fitted(task, max_epochs=2, seed=0)
    writer = task.prediction_writer(tmp_path, "csv")
    predicting = Trainer(**quiet(callbacks=[writer]))
    forecasts = np.concatenate(predicting.predict(task, collect=True))
    table = pd.read_csv(writer.files[0])
    names = [f"y_{quantile}" for quantile in quantiles] or ["y"]
    assert list(table) == ["id", "t", "step", *names]
    np.testing.assert_array_equal(table[names].to_numpy().ravel(), forecasts.ravel())
    # Each row has the truth of its series and time near it.
    truth = two_series("Europe/Berlin").assign(t=lambda rows: rows.t.astype(str))
    joined = table.merge(truth, on=["id", "t"], suffixes=("", "_true"))
    assert len(joined) == len(table) == 2 * len(forecasts)
    middle = "y_0.5" if quantiles else "y"
    true = joined["y" if quantiles else "y_true"]
    assert (joined[middle] - true).abs().max() < 100
    assert not list(tmp_path.glob(".*"))
    Path(writer.files[0]).unlink()
    predicting.predict(task)  # at once, as PredictionWriter has it
    pd.testing.assert_frame_equal(pd.read_csv(writer.files[0]), table)
    assert trainer is not predicting


def test_other_formats_are_written_as_ever():
    task = TimeSeriesForecast(np.arange(80.0), "mlp", history=5)
    assert task.prediction_writer(None, "npz") is None
    with pytest.raises(ConfigurationError, match="save_images"):
        task.prediction_writer(None, "csv", save_images=True)


def test_stretches_of_several_series_begin_at_the_same_time():
    data = TimeSeries(two_series(), history=5, horizon=1, test_from="2020-02-10", **COLUMNS)
    data.setup("fit")
    bounds = stretches(data.store, data.boundaries[1], 4)
    for first in bounds[1:-1]:
        times = {str(data.store.times[row]) for row in first if row not in data.store.starts}
        assert len(times) == 1
    assert bounds[0].tolist() == data.boundaries[1].tolist()
    assert bounds[-1].tolist() == data.store.starts[1:].tolist()
    assert (np.diff(bounds, axis=0) >= 0).all()
