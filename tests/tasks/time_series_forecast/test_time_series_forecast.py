"""TimeSeriesForecast: series are forecast, beside what needs no network, and carried on."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, quiet
from helpers.replicated import assert_equal_on_replicas
from helpers.resumable import assert_killed_run_is_exact, assert_resume_is_exact

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.networks.forecast.build import FORECAST_NETWORKS

SEASON = 12


def wave(count=240, level=10.0, seed=0):
    """A season of 12 rows on a slow slope, with a little noise."""
    rows = np.arange(count)
    noise = np.random.default_rng(seed).normal(size=count) * 0.05
    return level + 0.01 * rows + np.sin(2 * np.pi * rows / SEASON) + noise


def small_task(network="mlp", data=None, **options):
    defaults = {"history": 24, "horizon": 6, "season": SEASON, "units": 16, "batch_size": 16}
    return TimeSeriesForecast(
        wave() if data is None else data, network, **{**defaults, "learning_rate": 5e-3, **options}
    )


@pytest.fixture(scope="module")
def trained():
    task = small_task()
    trainer = fitted(task, max_epochs=15, seed=0)
    return task, trainer, trainer.test(task)


# ---- it learns


def test_a_season_is_learnt_better_than_it_is_repeated(trained):
    task, _, metrics = trained
    rows = {row["forecast"]: row for row in task.compare()}
    assert list(rows) == ["mlp", "naive", "seasonal_naive", "linear"]
    assert rows["mlp"]["rmse"] < rows["seasonal_naive"]["rmse"] < rows["naive"]["rmse"]
    for name in ("rmse", "mae", "mape", "mase"):
        assert rows["mlp"][name] == pytest.approx(metrics[f"test_{name}"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("network", FORECAST_NETWORKS)
@pytest.mark.parametrize("transform", ["none", "last_value", "difference", "return"])
def test_every_network_learns_a_season_through_every_transform(network, transform):
    task = small_task(network, transform=transform)
    trainer = fitted(task, max_epochs=25, seed=0)
    rows = {row["forecast"]: row["rmse"] for row in task.compare()}
    # Unseen levels are what `none` cannot do well.
    share = 1.0 if transform == "none" else 0.3
    assert trainer.test(task)["test_rmse"] < share * rows["naive"]


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("cnn", {}),
        pytest.param("nbeats", {}, marks=pytest.mark.slow),
        pytest.param("gru", {}, marks=pytest.mark.slow),
        pytest.param("rnn", {"bidirectional": True}, marks=pytest.mark.slow),
        pytest.param("lstm", {"unroll": True}, marks=pytest.mark.slow),
    ],
    ids=["cnn", "nbeats", "gru", "rnn", "lstm"],
)
def test_every_network_takes_a_step(network, options):
    task = small_task(network, history=8, horizon=2, units=4, dropout=0.1, **options)
    trainer = fitted(task, max_steps=3, limit_val_batches=0, seed=0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    assert task.forecast(wave()[:8], steps=2).shape == (2, 1)


def test_quantiles_are_in_order_and_hold_their_share():
    task = small_task(quantiles=(0.1, 0.5, 0.9), data=wave(600))
    metrics = fitted(task, max_epochs=12, seed=0).test(task)
    assert 0.55 < metrics["test_coverage"] <= 1.0
    low, middle, high = np.moveaxis(task.forecast(wave(600), steps=6), -1, 0)
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (high - low).mean() > 0.01


def table_of_two_series(count=160):
    tables = [
        pd.DataFrame(
            {
                "day": pd.date_range("2020-01-01", periods=count),
                "shop": name,
                "sold": scale * wave(count, seed=seed) * (1 + holiday),
                "holiday": holiday,
                "rain": np.random.default_rng(seed).normal(size=count),
            }
        )
        for seed, (name, scale) in enumerate({"small": 1.0, "large": 1000.0}.items())
        for holiday in [(np.random.default_rng(9).uniform(size=count) < 0.2).astype(float)]
    ]
    return pd.concat(tables, ignore_index=True)


COLUMNS = {"time": "day", "series": "shop", "target": "sold"}


@pytest.mark.slow
def test_what_is_known_of_the_future_of_several_series_is_used(tmp_path):
    path = tmp_path / "shops.csv"
    table_of_two_series().to_csv(path, index=False)

    def tested(**roles):
        task = small_task(data=path, horizon=2, data_options={**COLUMNS, **roles}, transform="none")
        return task, fitted(task, max_epochs=20, seed=0).test(task)

    task, knowing = tested(known=["holiday"], unknown=["rain"])
    _, guessing = tested()
    assert knowing["test_mase"] < 0.85 * guessing["test_mase"]
    assert task.state_dict()["spec"] == {
        "series": ["large", "small"],
        "targets": ["sold"],
        "unknown": ["rain"],
        "known": ["holiday"],
    }
    table = pd.read_csv(path)
    small, large = (
        task.forecast(table[table.shop == name], 2, known=[[0.0], [1.0]], series=name)
        for name in ("small", "large")
    )
    assert 5 < small.mean() < 40
    assert 5000 < large.mean() < 40000
    assert small[1] > 1.3 * small[0]


def test_several_targets_are_forecast_together():
    both = np.stack([wave(), -2 * wave(seed=1)], axis=1)
    task = small_task(data=both)
    fitted(task, max_epochs=15, seed=0)
    forecast = task.forecast(both[:200], steps=6)
    np.testing.assert_allclose(forecast, both[200:206], atol=0.6)


@pytest.mark.slow
def test_a_model_of_ones_own_sees_windows():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(6)], name="mine")
    task = small_task(model, units=64)
    assert fitted(task, max_epochs=10, seed=0).test(task)["test_mase"] < 1.0
    short = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(5)], name="short")
    with pytest.raises(ConfigurationError, match=r"'short' must take windows .* give 6 numbers"):
        fitted(small_task(short, units=64), max_epochs=1)


# ---- what goes in and comes out


def test_scales_are_of_the_training_part_alone():
    series = np.concatenate([np.arange(100.0), np.full(40, 1e6)])
    options = {"val_fraction": 20 / 140, "test_fraction": 20 / 140}
    task = small_task(data=series, history=4, horizon=1, transform="none", data_options=options)
    fitted(task, max_steps=1, limit_val_batches=0)
    known = np.arange(100.0)
    assert float(task.transform.inputs.center[0, 0]) == pytest.approx(known.mean())
    assert float(task.transform.inputs.scale[0, 0]) == pytest.approx(known.std())
    assert float(task.transform.naive_error[0, 0]) == pytest.approx(SEASON)


@pytest.mark.parametrize("scaler", ["standard", "minmax", "none"])
@pytest.mark.parametrize("transform", ["none", "last_value", "difference", "return"])
def test_a_target_comes_back_from_what_the_network_gives(transform, scaler):
    task = small_task(transform=transform, scaler=scaler)
    task.configure_model()
    ends = task.data.boundaries[0]
    task.transform.fit(task.data.store, ends, history=24, horizon=6, season=1)
    inputs, y = next(iter(task.data.test_dataset()))
    target = task.transform.target(y, inputs["past"], inputs["series"])
    back = task.built.forecast(target, inputs)
    np.testing.assert_allclose(back, y, rtol=1e-5)
    if scaler == "standard":
        assert abs(float(tf.reduce_mean(task.transform.past(inputs["past"], inputs["series"])))) < 3


def test_a_forecast_beyond_the_horizon_rolls_on(trained):
    task, *_ = trained
    history = wave()[:120]
    long = task.forecast(history, steps=15)
    assert long.shape == (15, 1)
    np.testing.assert_array_equal(long[:6], task.forecast(history, steps=6))
    again = task.forecast(np.concatenate([history, long[:6, 0]]), steps=6)
    np.testing.assert_allclose(long[6:12], again, rtol=1e-6)


def test_a_backtest_tests_every_stretch_by_itself(trained):
    task, trainer, whole = trained
    rows = task.backtest(trainer, folds=3)
    assert [row["windows"] for row in rows] == [3, 3, 3]
    assert [row["from"] for row in rows] == [216, 224, 232]
    assert trainer.test(task) == whole
    mean = np.sqrt(np.mean([row["test_rmse"] ** 2 for row in rows]))
    assert mean == pytest.approx(whole["test_rmse"], rel=0.5)


def test_a_backtest_has_the_errors_of_the_naive_forecast_on_the_same_windows(trained):
    task, trainer, _ = trained
    (row,) = task.backtest(trainer, folds=1)
    naive = next(row for row in task.compare("test") if row["forecast"] == "naive")
    assert row["naive_rmse"] == pytest.approx(naive["rmse"], rel=1e-12)
    assert row["naive_mae"] == pytest.approx(naive["mae"], rel=1e-12)
    later = task.backtest(trainer, folds=3)[2]
    assert later["naive_mae"] != row["naive_mae"]


@pytest.mark.slow
def test_a_backtest_can_train_again_before_each_stretch():
    task = small_task()
    trainer = fitted(task, max_epochs=1, seed=0)
    before = task.model.weights[0].numpy()
    seen = []

    def refit():
        seen.append(len(task.data.splits["train"].indices))
        return Trainer(**quiet(max_epochs=1, seed=0))

    task.backtest(trainer, folds=3, refit=refit)
    assert seen == [224 - 24 - 5, 232 - 24 - 5]
    assert not np.array_equal(task.model.weights[0].numpy(), before)
    assert len(task.data.splits["train"].indices) == 192 - 24 - 5


SERVED = """
import json, sys
import tensorflow as tf
exported = tf.saved_model.load(sys.argv[1])
print(json.dumps(exported.forecast(tf.constant(json.loads(sys.argv[2]))).numpy().tolist()))
"""
FRESH = """
import json, sys
from lightning_tf.tasks import TimeSeriesForecast
task = TimeSeriesForecast.from_checkpoint(sys.argv[1], data=None)
print(json.dumps(task.forecast(json.loads(sys.argv[2])[0], 6).tolist()))
"""


def in_a_fresh_process(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return np.float64(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_an_exported_model_and_a_checkpoint_forecast_in_the_units_of_the_data(tmp_path, trained):
    task, trainer, _ = trained
    history = wave()[:24, np.newaxis]
    expected = task.forecast(history, steps=6)
    past = json.dumps([history.tolist()])
    task.export(tmp_path / "model")
    trainer.save_checkpoint(tmp_path / "c", weights_only=True)
    served = in_a_fresh_process(SERVED, tmp_path / "model", past)
    np.testing.assert_allclose(served[0], expected, rtol=1e-5)
    fresh = in_a_fresh_process(FRESH, tmp_path / "c", past)
    np.testing.assert_allclose(fresh, expected, rtol=1e-6)


# ---- with the rest of the house


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "gru", "nbeats"])
def test_training_goes_on_exactly_where_a_checkpoint_stopped(tmp_path, network):
    def make():
        return small_task(network, dropout=0.2, schedule="constant", quantiles=(0.1, 0.5, 0.9))

    assert_resume_is_exact(tmp_path, make, list, stop=4, end=14)


def recurrent():
    return small_task("lstm", dropout=0.2, schedule="constant")


@pytest.mark.slow
def test_a_killed_run_goes_on_exactly(tmp_path):
    assert_killed_run_is_exact(tmp_path, recurrent, every=4, killed=18, end=24)


@pytest.mark.distributed
@pytest.mark.parametrize(
    "network", ["mlp", *(pytest.param(n, marks=pytest.mark.slow) for n in ("lstm", "cnn"))]
)
def test_two_devices_learn_what_one_learns(network):
    options = {"batch_size": 7, "quantiles": (0.25, 0.5, 0.75), "optimizer": "sgd"}
    assert_equal_on_replicas(lambda: small_task(network, **options), tolerance=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("network", ["mlp", "gru"])
def test_mixed_precision_forecasts_in_the_precision_of_the_data(network, precision):
    task = small_task(network)
    trainer = fitted(task, max_epochs=12, precision=precision, seed=0)
    assert trainer.test(task)["test_mase"] < 1.5
    assert task.forecast(wave(), steps=6).dtype == np.float64


@pytest.mark.slow
def test_the_loggers_get_the_baselines_and_images():
    rows = Rows()
    trainer = Trainer(**quiet(max_epochs=1, logger=rows, seed=0))
    trainer.fit(task := small_task())
    trainer.test(task)
    sent = {(kind, name): value for kind, name, _, value in rows.sent}
    assert set(sent) == {
        (kind, f"{stage}/{name}")
        for stage in ("val", "test")
        for kind, name in (
            ("table", "baselines"),
            ("figure", "forecast"),
            ("figure", "error_by_horizon"),
        )
    }
    table = sent["table", "test/baselines"]
    assert [row[0] for row in table] == ["mlp", "naive", "seasonal_naive", "linear"]
    assert rows.rows[-1][1]["test/naive_rmse"] == table[1][1]


# ---- options and bad input


def test_hyperparameters_are_plain_and_make_the_same_task_again(tmp_path):
    file = tmp_path / "sold.csv"
    pd.DataFrame({"day": range(50), "sold": range(50)}).to_csv(file, index=False)
    task = TimeSeriesForecast(
        str(file),
        "lstm",
        data_options={"time": "day"},
        history=5,
        horizon=3,
        quantiles=[0.1, 0.5, 0.9],
    )
    again = TimeSeriesForecast(**json.loads(json.dumps(task.hparams)))
    assert again.hparams == task.hparams
    assert small_task().hparams["data"] == {"type": "numpy.ndarray"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "grru"}, "Did you mean 'gru'"),
        ({"horizon": 0}, "horizon is 0"),
        ({"history": 1}, "history is 1"),
        ({"transform": "returns"}, "Did you mean 'return'"),
        ({"scaler": "min-max"}, "Did you mean 'minmax'"),
        ({"loss": "mes"}, "Did you mean 'mse'"),
        ({"quantiles": (0.1, 0.9)}, "lack 0.5"),
        ({"quantiles": (0.9, 0.5)}, "ascending order"),
        ({"quantiles": (0.5,), "loss": "mae"}, "loss='mae'"),
        ({"bidirectional": True}, "bidirectional=True has no meaning for network='mlp'"),
        ({"units": 0}, "units is 0"),
        ({"season": 0}, "season is 0"),
        ({"data": "sunspot"}, "Did you mean 'sunspots'"),
        ({"data_options": {"targets": "x"}}, "Did you mean 'target'"),
        ({"data_options": {"missing": "fill"}}, "Did you mean 'ffill'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises(ConfigurationError, match=message):
        small_task(**options)


def test_returns_of_what_is_not_positive_are_refused():
    with pytest.raises(DataError, match=r"value is -0\.5 at 20; transform='return' needs positive"):
        fitted(
            small_task(data=np.where(np.arange(240) == 20, -0.5, 1.0), transform="return"),
            max_steps=1,
        )


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        (wave()[:10], {}, "history has 10 rows; the network sees 24"),
        (np.full(24, np.nan), {}, "value of row 0 of history is missing"),
        (np.ones((24, 2)), {}, r"shape \(24, 2\)"),
        (pd.DataFrame({"valeu": wave()}), {}, "Did you mean 'valeu'"),
        (wave(), {"steps": 0}, "steps is 0"),
    ],
    ids=["short", "missing", "shape", "column", "no steps"],
)
def test_a_history_that_cannot_be_forecast_from_is_told(trained, history, options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        trained[0].forecast(history, **{"steps": 2, **options})


def test_nothing_can_be_asked_before_there_is_a_model(tmp_path):
    for ask in (lambda t: t.export(tmp_path / "m"), lambda t: t.forecast(wave(), 1)):
        with pytest.raises(ConfigurationError, match=r"no model yet|before the models are made"):
            ask(small_task())
    with pytest.raises(ConfigurationError, match="data is None"):
        TimeSeriesForecast(None).configure_model()


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("network", ["gru", "lstm"])
@pytest.mark.parametrize("transform", ["last_value", "return"])
def test_the_share_price_is_forecast_as_well_as_the_last_price_allows(network, transform):
    options = {"test_from": "2017-01-01"}
    task = TimeSeriesForecast("google_stock", network, transform=transform, data_options=options)
    metrics = fitted(task, max_epochs=2, seed=0).test(task)
    rows = {row["forecast"]: row["rmse"] for row in task.compare()}
    assert metrics["test_rmse"] < 35.0
    assert metrics["test_rmse"] < 1.05 * rows["naive"]
