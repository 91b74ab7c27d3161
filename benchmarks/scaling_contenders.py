"""What benchmarks/scaling.py times, and in the workers of a run the program itself.

    lightning-tf launch --workers 2 -- benchmarks/scaling_contenders.py FILE [--runs 5]

The chief writes the timings of every contender to FILE, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.workers import Workers

CLASSES, EPOCHS = 10, 4
Network = Callable[[], keras.Model]


@dataclass(frozen=True)
class Problem:
    """A network and the shape of its data.

    Attributes:
        network: Makes the layers.
        shape: Of one example.
        batch: Examples in a global batch.
        steps: In an epoch.
    """

    network: Network
    shape: tuple[int, ...]
    batch: int
    steps: int

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Random examples and labels of one epoch."""
        random, count = np.random.RandomState(0), self.steps * self.batch
        examples = random.normal(size=(count, *self.shape)).astype("float32")
        return examples, random.randint(0, CLASSES, count).astype("int32")


def tiny_mlp() -> keras.Model:
    """4 variables; what is around the mathematics outweighs it."""
    hidden = keras.layers.Dense(64, activation="relu")
    return keras.Sequential([keras.Input((32,)), hidden, keras.layers.Dense(CLASSES)])


def deep_mlp() -> keras.Model:
    """66 small variables, each with a gradient to sum and an update."""
    hidden = [keras.layers.Dense(32, activation="tanh") for _ in range(32)]
    return keras.Sequential([keras.Input((32,)), *hidden, keras.layers.Dense(CLASSES)])


def conv_net() -> keras.Model:
    """10 variables; the mathematics outweighs what is around it."""
    convolutions = [keras.layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(4)]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES)]
    return keras.Sequential([keras.Input((16, 16, 3)), *convolutions, *head])


PROBLEMS = {
    "tiny MLP": Problem(tiny_mlp, (32,), 32, 1000),
    "deep MLP": Problem(deep_mlp, (32,), 32, 200),
    "conv net": Problem(conv_net, (16, 16, 3), 64, 40),
}


class Noise(DataModule):
    """A problem's arrays, in a data set that is made once."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.batch)
        self.batches = tf.data.Dataset.from_tensor_slices(problem.arrays()).batch(problem.batch)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """The same batches in every epoch."""
        return self.batches.prefetch(tf.data.AUTOTUNE)


class Classifier(Task):
    """A problem as a Task: Adam, cross-entropy and accuracy."""

    def __init__(self, problem: Problem) -> None:
        self.network, self.data = problem.network, Noise(problem)
        self.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = self.network()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Cross-entropy of examples (B, ...) float32 and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)


def trainer_fit(problem: Problem, devices: int = 1) -> measure.Timing:
    """The Trainer without callbacks and loggers, which cost the same on any number of replicas."""
    clock = measure.EpochClock()
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = Trainer(
        accelerator="cpu",
        devices=devices,
        max_epochs=EPOCHS,
        callbacks=[clock],
        **dict.fromkeys(off, False),
    )
    return measure.timed(lambda: trainer.fit(Classifier(problem)), clock.starts)


def bare_loop(problem: Problem, strategy: tf.distribute.Strategy | None = None) -> measure.Timing:
    """The same step under tf.distribute by hand: an epoch is one call of a tf.function."""
    starts: list[float] = []
    given = strategy or tf.distribute.get_strategy()

    def run() -> None:
        with given.scope():
            model, optimizer = problem.network(), keras.optimizers.Adam()
            accuracy = keras.metrics.SparseCategoricalAccuracy()
            optimizer.build(model.trainable_variables)

        def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
                loss = tf.reduce_sum(losses) / problem.batch
            variables = [variable.value for variable in model.trainable_variables]
            # Inside the replicas Keras' optimizer sums gradients over them.
            optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
            accuracy.update_state(y, logits)
            return loss

        @tf.function
        def epoch(iterator: Any) -> tuple[tf.Tensor, tf.Tensor]:
            total = tf.zeros([])
            for _ in tf.range(problem.steps):
                losses = given.run(step, next(iterator))
                total += given.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
            return total / problem.steps, accuracy.result()

        data = given.distribute_datasets_from_function(partial(_rows, problem))
        for _ in range(EPOCHS):
            starts.append(time.perf_counter())
            accuracy.reset_state()
            loss, share = epoch(iter(data))
            float(loss), float(share)
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def _rows(problem: Problem, where: tf.distribute.InputContext) -> tf.data.Dataset:
    """Batches of one replica each, in turn for those of this process."""
    dataset = tf.data.Dataset.from_tensor_slices(problem.arrays())
    own = dataset.shard(where.num_input_pipelines, where.input_pipeline_id)
    return own.batch(problem.batch // where.num_replicas_in_sync).prefetch(tf.data.AUTOTUNE)


def on_workers(workers: Workers, strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """The contenders of a worker: all of them together, and the chief alone while others wait."""
    contenders: dict[str, Any] = {}
    for name, problem in PROBLEMS.items():
        together = partial(trainer_fit, problem), partial(bare_loop, problem, strategy)
        alone = (
            partial(_alone, workers, act) for act in (together[0], partial(bare_loop, problem))
        )
        for count, pair in ((1, tuple(alone)), (workers.count, together)):
            for kind, act in zip(("Trainer", "bare loop"), pair, strict=True):
                contenders[f"{name}|{count}|{kind}"] = act
    return contenders


def _alone(workers: Workers, act: Callable[[], measure.Timing]) -> measure.Timing:
    workers.wait()
    timing = measure.Timing(0.0, 0.0)
    if workers.is_chief:
        cluster = os.environ.pop("TF_CONFIG")  # a Trainer that finds none is on one device
        try:
            timing = act()
        finally:
            os.environ["TF_CONFIG"] = cluster
    workers.wait()
    return timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=5, help="alternating runs, 5")
    options = parser.parse_args()
    first = Trainer(max_steps=1, accelerator="cpu", devices=1, logger=False)  # joins the others
    contenders = on_workers(first.workers, first.placement.strategy)
    _, rounds = measure.alternate(contenders, options.runs)
    if first.workers.is_chief:
        epochs = {name: [timing.epoch for timing in found] for name, found in rounds.items()}
        options.file.write_text(json.dumps(epochs))


if __name__ == "__main__":
    main()
