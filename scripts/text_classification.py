"""Classify news articles, or any texts, and print the metrics.

    python scripts/text_classification.py
    python scripts/text_classification.py --data reviews.csv --test more.csv --network gru

The first line takes about 20 seconds on 2 cores and needs pip install 'lightning-tf[datasets]'.
The data may be a name (bbc_news, imdb), "tfds:<name>", a CSV, TSV or Parquet file with the columns
text and label, or a folder with one folder of text files for each class. A table lists the
mistakes with the highest probability.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_tf import Trainer
from lightning_tf.tasks import TextClassification


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="bbc_news")
    parser.add_argument("--data-dir", help="where the files of a named data set are")
    parser.add_argument("--test", help="a table to test on, where --data is one")
    parser.add_argument("--network", default="bag_of_words")
    parser.add_argument("--max-length", type=int, help="words of a text that are read")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", default=".", help="runs/ is made in this folder")
    parser.add_argument("--export", help="write a SavedModel that takes strings to this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    task = TextClassification(
        options.data,
        network=options.network,
        data_dir=options.data_dir,
        data_options={"test": options.test} if options.test else None,
        batch_size=options.batch_size,
        max_length=options.max_length,
        learning_rate=options.learning_rate,
    )
    trainer = Trainer(max_epochs=options.epochs, default_root_dir=options.output, seed=options.seed)

    trainer.fit(task)
    metrics = trainer.callback_metrics | trainer.test(task)

    if not trainer.is_global_zero:  # of several workers, the first one prints and writes
        return
    for name in ("loss", "accuracy", "auc", "f1"):
        train, val, test = (metrics[prefix + name] for prefix in ("", "val_", "test_"))
        print(f"{name:10} train {train:.4f}  val {val:.4f}  test {test:.4f}")
    if options.export:
        task.export(options.export)
    for path in sorted(Path(trainer.log_dir or "").glob("**/*mistakes*")):
        print(f"written: {path}")


if __name__ == "__main__":
    main()
