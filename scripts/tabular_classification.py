"""Classify points of the plane, or the rows of any table.

    python scripts/tabular_classification.py --data spirals
    python scripts/tabular_classification.py --data customers.csv --target left

The first line takes about 10 seconds on 2 cores. The data may be points of the plane (and, or, xor,
circles, spirals), wine, breast_cancer, or a CSV, TSV or Parquet file. With two features, an image
shows the class that the network predicts for every point of the plane.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import TabularClassification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="xor")
    parser.add_argument("--target", help="the column of the classes")
    parser.add_argument("--categorical", nargs="+", help="columns of numbers that are names")
    parser.add_argument("--units", type=int, nargs="*", default=[64, 64], help="of hidden layers")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    parser.add_argument("--export", help="write a SavedModel to this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    task = TabularClassification(
        options.data,
        target=options.target,
        units=options.units,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        data_options={"categorical": options.categorical},
    )
    trainer = Trainer(max_epochs=options.epochs, default_root_dir=options.output, seed=options.seed)

    trainer.fit(task)
    metrics = trainer.callback_metrics | trainer.test(task)

    if not trainer.is_global_zero:  # of several workers, the first one prints and writes
        return
    for name in ("loss", "accuracy", "auc"):
        train, val, test = (metrics[prefix + name] for prefix in ("", "val_", "test_"))
        print(f"{name:10} train {train:.4f}  val {val:.4f}  test {test:.4f}")
    if options.export:
        task.export(options.export)
    for path in sorted(Path(trainer.log_dir or "").glob("figures/test_*")):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
