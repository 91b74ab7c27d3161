"""Series far from 0, tiny or of both signs: the network sees the same, nothing is rounded off."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import fitted

from lightning_tf.data import TimeSeries
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.time_series_forecast.lost_changes import lost_changes
from lightning_tf.tasks.time_series_forecast.series_transform import SeriesTransform

WAVE = 10 * np.sin(np.arange(200) * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=200)
# Steps that float64 holds at 1e12 exactly, so that the network sees equal numbers at every level.
ROUND = np.round(WAVE * 2**10) / 2**10
ONE = tf.zeros([1], tf.int32)


def transform_of(values, kind, scaler="standard"):
    """A transform that is fitted, and a window and its target: float64."""
    data = TimeSeries(values, history=24, horizon=3)
    data.setup("fit")
    features = len(data.store.unknown) + len(data.store.known)
    transform = SeriesTransform(kind, scaler, 1, len(data.store.targets), features)
    transform.fit(data.store, data.boundaries[0], history=24, horizon=3, season=1)
    window, target = (data.store.values[rows][np.newaxis] for rows in (slice(24), slice(24, 27)))
    return transform, window, target


def seen(values, kind, scaler="standard"):
    transform, window, target = transform_of(values, kind, scaler)
    return transform.past(window, ONE).numpy(), transform.target(target, window, ONE).numpy()


@pytest.mark.parametrize("kind", ["last_value", "difference", "none"])
@pytest.mark.parametrize("level", [2.0**20, 2.0**33, -(2.0**40)], ids=str)
@pytest.mark.parametrize("scaler", ["standard", "minmax"])
def test_a_network_sees_the_same_at_every_level(kind, level, scaler):
    for far, near in zip(seen(level + ROUND, kind, scaler), seen(ROUND, kind, scaler), strict=True):
        assert far.dtype == np.float32
        np.testing.assert_allclose(far, near, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("kind", ["last_value", "difference", "none"])
@pytest.mark.parametrize("unit", [1e-9, 1e-30, 1e9, -1e9, 1e30], ids=str)
def test_a_network_sees_the_same_in_every_unit(kind, unit):
    for other, near in zip(seen(unit * WAVE, kind), seen(WAVE, kind), strict=True):
        np.testing.assert_allclose(other * np.sign(unit), near, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["last_value", "difference", "none", "return"])
@pytest.mark.parametrize(
    "values",
    [1e9 + WAVE, 1e12 * np.exp(WAVE / 100), 1e-9 * (20 + WAVE), np.full(200, 1e9)],
    ids=["high", "growing", "tiny", "constant"],
)
def test_what_a_network_should_give_comes_back_as_it_was(kind, values):
    transform, window, target = transform_of(values, kind)
    outputs = transform.target(target, window, ONE)
    back = transform.forecast(outputs, window, ONE)
    assert back.dtype == tf.float64
    spread = max(np.ptp(values), 1e-7 * np.abs(values).max())
    np.testing.assert_allclose(back, target, rtol=1e-14, atol=1e-6 * spread)


def trained(series, **options):
    task = TimeSeriesForecast(series, "mlp", history=24, horizon=3, units=8, **options)
    return task, fitted(task, max_steps=4, max_epochs=1, seed=0).test(task)


@pytest.fixture(scope="module")
def high():
    return trained(2.0**33 + ROUND)


@pytest.mark.slow
def test_the_level_of_a_series_changes_no_error(high):
    (task, ordinary), (far_task, far) = trained(ROUND), high
    for name in ("test_loss", "test_rmse", "test_mae", "test_mase"):
        assert far[name] == pytest.approx(ordinary[name], rel=1e-4), name
    forecast = far_task.forecast(2.0**33 + ROUND, 5) - 2.0**33
    np.testing.assert_allclose(forecast, task.forecast(ROUND, 5), rtol=1e-3, atol=1e-3)
    rows = {row["forecast"]: row for row in far_task.compare()}
    assert rows["mlp"]["rmse"] == pytest.approx(far["test_rmse"], rel=1e-6)


@pytest.mark.slow
def test_an_exported_model_takes_and_gives_both_precisions(tmp_path, high):
    task, series = high[0], 2.0**33 + ROUND
    task.export(tmp_path / "model")
    exported = tf.saved_model.load(tmp_path / "model")
    past = series[np.newaxis, -24:, np.newaxis]
    np.testing.assert_allclose(exported.forecast(past)[0], task.forecast(series, 3), rtol=1e-14)
    assert exported.signatures["forecast"].structured_input_signature[1]["past"].dtype == tf.float64
    rounded = exported.forecast(tf.constant(past, tf.float32))
    assert rounded.dtype == tf.float64
    np.testing.assert_allclose(rounded[0], task.forecast(series, 3), rtol=1e-7)
    assert exported.columns()["channels"].numpy().tolist() == [b"value"]


def test_seconds_since_1970_as_a_feature_are_told_apart():
    table = pd.DataFrame({"y": WAVE, "seconds": 1.6e9 + 60 * np.arange(200)})
    data = TimeSeries(table, history=24, horizon=3, target="y", known="seconds")
    data.setup("fit")
    transform = SeriesTransform("none", "standard", 1, 1, 1)
    transform.fit(data.store, data.boundaries[0], history=24, horizon=3, season=1)
    inputs, _ = next(iter(data.test_dataset()))
    past = transform.past(inputs["past"], inputs["series"])[..., 1].numpy()
    assert (np.diff(past, axis=1) > 0).all()
    future = transform.future(inputs["future"], inputs["series"])[..., 0].numpy()
    assert (np.diff(future, axis=1) > 0).all()


def test_changes_that_float32_loses_even_so_are_told(caplog):
    series = WAVE.copy()
    series[50] = 1e12
    transform_of(series, "none", "minmax")
    assert "value: float32 loses" in caplog.text
    assert "of the changes from row to row, even of scaled values" in caplog.text


@pytest.mark.parametrize("kind", ["none", "last_value", "difference", "return"])
def test_of_an_ordinary_series_nothing_is_told(kind, caplog):
    transform_of(1e9 + WAVE, kind)
    assert not caplog.records


def test_the_share_of_lost_changes_is_of_those_there_are():
    rows = np.array([0.0, 0.0, 1e-9, 1e-9, 2.0, 3.0])[:, np.newaxis]
    assert lost_changes(rows, 0, np.ones(1)).tolist() == [1 / 3]
    assert lost_changes(rows[:2], 0, np.ones(1)).tolist() == [0.0]
