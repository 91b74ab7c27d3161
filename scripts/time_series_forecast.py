"""Forecast a series and say whether the network was worth it.

    python scripts/time_series_forecast.py --data google_stock --test-from 2017-01-01
    python scripts/time_series_forecast.py --data co2 --history 104 --horizon 26 --season 52
    python scripts/time_series_forecast.py --data sales.csv --time day --target sold --network lstm

The data may be a name (google_stock, co2, sunspots; their files lie in the folder that the
environment variable LIGHTNING_TF_DATA names) or a table's file. Errors on the test part are printed
beside those of forecasts that need no network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import TimeSeriesForecast
from lightning_tf.tasks.time_series_forecast.comparison import table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="co2")
    parser.add_argument("--time", help="the column of times")
    parser.add_argument("--target", nargs="+", help="the columns to forecast")
    parser.add_argument("--test-from", help="the first time of the test")
    parser.add_argument("--network", default="gru")
    parser.add_argument("--history", type=int, help="rows that the network sees, 60")
    parser.add_argument("--horizon", type=int, help="rows to forecast, 1")
    parser.add_argument("--season", type=int, help="rows of a season")
    parser.add_argument("--transform", default="last_value")
    parser.add_argument("--scaler", default="standard")
    parser.add_argument("--quantiles", type=float, nargs="+", default=())
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folds", type=int, help="test on so many consecutive stretches too")
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    options = vars(parser.parse_args())

    trainer = Trainer(max_epochs=options["epochs"], default_root_dir=options["output"], seed=0)
    given = ("history", "horizon", "season", "transform", "scaler", "quantiles", "learning_rate")
    task = TimeSeriesForecast(
        options["data"],
        options["network"],
        **{name: options[name] for name in given},
        data_options={name: options[name] for name in ("time", "target", "test_from")},
    )
    trainer.fit(task)
    trainer.test(task)
    compared = task.compare("test")
    stretches = task.backtest(trainer, options["folds"]) if options["folds"] else []
    if not trainer.is_global_zero:  # another of several workers
        return
    print(table(compared))
    for row in stretches:
        print(f"from {row['from']!s:.10}  {row['windows']} windows  rmse {row['test_rmse']:.4f}")
    for path in sorted(Path(trainer.log_dir or "").glob("figures/test_*")):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
