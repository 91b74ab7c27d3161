"""The cost of a batch in validation and in prediction, and the memory of a long prediction.

    python benchmarks/evaluation.py [--runs 5] [--write] [--check] [--quick]

A tiny MLP (benchmarks/tiny_network.py), batch 32, the same data sets for all:

- the second validation of a fit with the default callbacks and logger, from its first hook to its
  last; compared with one graph call that loops over all batches, sums the loss and updates the
  metric;
- prediction with the default callbacks, from its first batch to its last hook, each batch read as
  it comes; compared with graph calls of 100 batches whose outputs are concatenated in the graph and
  read once a call, and with the same function called and read for each batch.

The first round is left out. Memory: the resident size of a process that predicts generated examples
and drops every batch, after a tenth of them and at the end. `for batch in trainer.predict(task)`
streams; PredictionWriter writes such a stream to files.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import measure
import psutil
import tensorflow as tf
from tiny_network import BATCH, FEATURES, TinyNetwork, cross_entropy

from lightning_tf import Callback, Task, Trainer
from lightning_tf.data import DataModule

BATCHES, WINDOW = 10_000, 100
STREAMED = 4_000_000  # in the first few hundred thousand, queues and the allocator fill up


class StageClock(Callback):
    """Notes how long each validation and each prediction takes."""

    logs_metrics = False

    def __init__(self) -> None:
        self.validations: list[float] = []
        self.predictions: list[float] = []
        self.start = 0.0

    def on_validation_start(self, trainer: Trainer, task: Task) -> None:
        """Note the time."""
        self.start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, task: Task) -> None:
        """Note how long the stage took."""
        self.validations.append(time.perf_counter() - self.start)

    def on_predict_batch_end(self, trainer: Trainer, task: Task, outputs: Any, number: int) -> None:
        """Note the time after the first batch, which pays for the graph call's set-up."""
        if number == 0:
            self.start = time.perf_counter()

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Note how long the stage took."""
        self.predictions.append(time.perf_counter() - self.start)


class Stream(DataModule):
    """Examples that are generated when they are read.

    Args:
        examples: How many.
    """

    def __init__(self, examples: int) -> None:
        super().__init__(BATCH)
        self.examples = examples

    def predict_dataset(self) -> tf.data.Dataset:
        """Return features (B, 32) float32."""
        starts = tf.data.Dataset.range(0, self.examples, self.batch_size)
        features = tf.range(FEATURES, dtype=tf.float32)[None]
        rows = tf.range(self.batch_size, dtype=tf.float32)[:, None]
        return starts.map(lambda start: tf.sin(tf.cast(start, tf.float32) + rows + features))


class BareLoops:
    """The same model over the same data without the Trainer.

    Args:
        task: Trained, so that its model is built.
    """

    def __init__(self, task: TinyNetwork) -> None:
        model, loss_of = task.model, cross_entropy()
        self.held_out, self.inputs = task.data.val_dataset(), task.data.predict_dataset()
        accuracy = keras.metrics.SparseCategoricalAccuracy()

        @tf.function
        def validate(iterator: tf.data.Iterator, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            total = tf.zeros([])
            for _ in tf.range(count):
                x, y = next(iterator)
                logits = model(x, training=False)
                accuracy.update_state(y, logits)
                total += loss_of(y, logits)
            return total / tf.cast(count, tf.float32), accuracy.result()

        @tf.function
        def predict(iterator: tf.data.Iterator, count: tf.Tensor) -> tf.Tensor:
            outputs = tf.TensorArray(tf.float32, count, infer_shape=False)
            for i in tf.range(count):
                outputs = outputs.write(i, model(next(iterator), training=False))
            return outputs.concat()

        @tf.function
        def predict_one(batch: tf.Tensor) -> tf.Tensor:
            return model(batch, training=False)

        self._validate, self._predict, self._predict_one = validate, predict, predict_one
        self._accuracy = accuracy

    def validate(self) -> None:
        """One graph call."""
        self._accuracy.reset_state()
        loss, share = self._validate(iter(self.held_out), tf.constant(len(self.held_out)))
        float(loss), float(share)

    def predict(self) -> None:
        """Graph calls of some batches each."""
        iterator = iter(self.inputs)
        for _ in range(len(self.inputs) // WINDOW):
            self._predict(iterator, tf.constant(WINDOW)).numpy()

    def predict_each(self) -> None:
        """Call the graph for each batch."""
        for batch in self.inputs:
            self._predict_one(batch).numpy()


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def times(batches: int, runs: int) -> dict[str, float]:
    """Return the median microseconds of a batch by contender, in turn in one process."""
    task, clock = TinyNetwork(BATCH, held_out=batches * BATCH), StageClock()
    microseconds: dict[str, list[float]] = {}
    with measure.trainer_folder() as folder:
        trainer = Trainer(
            max_epochs=0, default_root_dir=folder, callbacks=[clock], num_sanity_val_steps=0
        )
        bare = None
        for _ in range(runs + 1):
            trainer.max_epochs += (
                2  # the first validation of a fit pays for its graph call's set-up
            )
            trainer.fit(task)
            bare = bare or BareLoops(task)
            for _ in trainer.predict(task):
                pass
            seconds_of = {
                "validation in fit": clock.validations[-1],
                "validation, one graph call": seconds(bare.validate),
                "Trainer.predict": clock.predictions[-1],
                f"prediction, graph calls of {WINDOW} batches": seconds(bare.predict),
                "prediction, a graph call a batch": seconds(bare.predict_each),
            }
            for name, elapsed in seconds_of.items():
                microseconds.setdefault(name, []).append(elapsed / batches * 1e6)
    return {name: statistics.median(values[1:]) for name, values in microseconds.items()}


def growth(examples: int) -> tuple[float, float]:
    """Return the resident MiB after a tenth of a prediction, and at its end."""
    task = TinyNetwork(BATCH)
    task.data = Stream(examples)
    sizes, count = [], -(-examples // BATCH)
    with measure.trainer_folder() as folder:
        trainer = Trainer(default_root_dir=folder, logger=False)
        for index, _ in enumerate(trainer.predict(task), start=1):
            if index in (count // 10, count):
                sizes.append(psutil.Process().memory_info().rss / 2**20)
    return sizes[0], sizes[1]


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    batches = 4000 if options.quick else BATCHES
    options.runs = 3 if options.quick else options.runs
    # Always all of them: memory that is taken once would count for more in a shorter prediction.
    early, late = growth(STREAMED)
    medians = times(batches, options.runs)
    validation, bare_validation, prediction, bare_prediction, _ = medians.values()
    rows = [[name, f"{microseconds:.0f}"] for name, microseconds in medians.items()]
    text = (
        f"Tiny MLP, {batches} batches of {BATCH}.\n\n"
        f"{measure.table(['', 'us a batch'], rows)}\n\n"
        f"Predicting {STREAMED:,} examples: {early:.0f} MiB resident after a tenth of them, "
        f"{late:.0f} MiB at the end."
    )
    targets = [
        measure.Target("validation to one graph call", validation / bare_validation, 1.1),
        measure.Target("Trainer.predict to graph calls", prediction / bare_prediction, 1.1),
        # It scatters by 8 of 750 MiB either way; 16 bytes kept of each example would be 1.08.
        measure.Target(
            "resident size of a prediction, end to a tenth", late / early, 1.02, is_time=False
        ),
    ]
    measure.report("evaluation", text, targets, options)


if __name__ == "__main__":
    main()
