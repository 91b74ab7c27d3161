"""Forecast a time series, beside forecasts that need no network.

    python scripts/time_series_forecast.py --data google_stock --test-from 2017-01-01
    python scripts/time_series_forecast.py --data co2 --history 104 --horizon 26 --season 52
    python scripts/time_series_forecast.py --data sales.csv --time day --target sold --network lstm

The data may be a name (google_stock, co2, sunspots; their files lie in the folder that the
environment variable LIGHTNING_TF_DATA names) or a CSV, TSV or Parquet file. Printed are the errors
on the test part, of the network and of the baselines.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import TimeSeriesForecast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="co2")
    parser.add_argument("--time", help="the column of times")
    parser.add_argument("--target", nargs="+", help="the columns to forecast")
    parser.add_argument("--test-from", help="the first time of the test")
    parser.add_argument("--network", default="gru")
    parser.add_argument("--history", type=int, help="rows that the network sees; 60")
    parser.add_argument("--horizon", type=int, help="rows to forecast; 1")
    parser.add_argument("--season", type=int, help="rows of a season")
    parser.add_argument("--transform", default="last_value")
    parser.add_argument("--scaler", default="standard")
    parser.add_argument("--quantiles", type=float, nargs="+", default=())
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, help="backtest on this many parts of the test")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = parser.parse_args()

    task = TimeSeriesForecast(
        options.data,
        network=options.network,
        history=options.history,
        horizon=options.horizon,
        season=options.season,
        transform=options.transform,
        scaler=options.scaler,
        quantiles=options.quantiles,
        learning_rate=options.learning_rate,
        data_options={
            "time": options.time,
            "target": options.target,
            "test_from": options.test_from,
        },
    )
    trainer = Trainer(max_epochs=options.epochs, default_root_dir=options.output, seed=0)

    trainer.fit(task)
    trainer.test(task)
    errors = task.compare("test")
    folds = task.backtest(trainer, options.folds) if options.folds else []

    if not trainer.is_global_zero:  # of several workers, the first one prints
        return
    for row in errors:
        print(f"{row['forecast']:16} rmse {row['rmse']:.4f}  mae {row['mae']:.4f}")
    for row in folds:
        error = f"rmse {row['test_rmse']:.4f}  naive {row['naive_rmse']:.4f}"
        print(f"from {row['from']!s:.10}  {row['windows']} windows  {error}")
    for path in sorted(Path(trainer.log_dir or "").glob("figures/test_*")):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
