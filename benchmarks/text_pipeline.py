"""The cost of the text pipeline, from strings to padded word ids, beside the step.

    python benchmarks/text_pipeline.py [--runs 5] [--write] [--check] [--quick]

TextClassification on the 25,000 training reviews of `imdb` (where $LIGHTNING_TF_DATA has none, on
as many texts of random words, as long), batches of 64, bag of words and embedding + convolution,
the Trainer's default callbacks. `pipeline` is the task as it is: strings are split once, before the
first epoch, and every batch is gathered and padded beside the step. `cached` has the same batches
of these epochs in memory. The first epoch, which holds tracing, is left out.
"""

from __future__ import annotations

import time

import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Trainer
from lightning_tf.data import Imdb, TextArrays
from lightning_tf.tasks import TextClassification

REVIEWS, BATCH, EPOCHS, AT_MOST = 25_000, 64, 3, 1.1
NETWORKS = ("bag_of_words", "convolution")


def reviews(count: int) -> tuple[DataModule, str]:
    """Return the texts, all for training, and whose they are."""
    if Imdb.is_at_hand() and count == REVIEWS:
        return Imdb(val_fraction=0.0, batch_size=BATCH), "IMDB's"
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(5.2, 0.7, count), 10, 2000).astype(int)
    texts = [" ".join(f"w{n}" for n in random.zipf(1.3, length) % 50_000) for length in lengths]
    return TextArrays((texts, np.arange(count) % 2), val_fraction=0.0, batch_size=BATCH), "random"


class CachedBatches(DataModule):
    """Another module's training batches of the first epochs, held in memory."""

    def __init__(self, data: DataModule, steps: int) -> None:
        super().__init__(data.batch_size, data.seed)
        data.setup("fit")
        self.epochs = [data.train_dataset(epoch).take(steps).cache() for epoch in range(EPOCHS)]
        for epoch in self.epochs:
            for _ in epoch:  # fills the cache
                pass

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the batches of one epoch."""
        return self.epochs[epoch]


def one_run(task: TextClassification, steps: int) -> measure.Timing:
    """Fit a task for some epochs and return the timing."""
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:
        trainer = Trainer(
            max_epochs=EPOCHS,
            limit_train_batches=steps,
            default_root_dir=folder,
            callbacks=[clock],
            seed=0,
        )
        return measure.timed(lambda: trainer.fit(task), clock.starts)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    count, steps, networks = REVIEWS, 100, NETWORKS
    if options.quick:  # the lighter step alone, which would starve first
        count, steps, networks = 2_500, 35, NETWORKS[:1]
        options.runs = min(options.runs, 2)
    texts, source = reviews(count)
    rows, targets, cache_seconds = [], [], []
    for network in networks:
        piped, cached = (TextClassification(texts, network, batch_size=None) for _ in range(2))
        start = time.perf_counter()
        cached.data = CachedBatches(cached.data, steps)
        cache_seconds.append(f"{time.perf_counter() - start:.1f}")
        contenders = {
            f"{network}, pipeline": lambda task=piped: one_run(task, steps),
            f"{network}, cached": lambda task=cached: one_run(task, steps),
        }
        medians, rounds = measure.alternate(contenders, options.runs)
        ours, best = medians.values()
        rows += [
            [
                name,
                f"{timing.epoch / steps * 1e3:.1f}",
                f"{timing.epoch / best.epoch:.2f}",
                measure.spread(rounds[name]),
            ]
            for name, timing in medians.items()
        ]
        what = f"{network}, a step with the pipeline to one on cached batches"
        targets.append(measure.Target(what, ours.epoch / best.epoch, at_most=AT_MOST))
    table = measure.table(["", "ms a step", "to cached batches", "spread"], rows)
    text = f"{count:,} reviews, {source}, batch {BATCH}, {steps} steps an epoch.\n\n{table}"
    text += f"\n\nReading, splitting and caching took {' and '.join(cache_seconds)} s."
    measure.report("text_pipeline", text, targets, options)


if __name__ == "__main__":
    main()
