"""The contenders of benchmarks/scaling.py, and the program that its workers run.

    lightning-tf launch --workers 2 -- benchmarks/scaling_contenders.py FILE [--runs 5]

The chief writes the seconds of every contender's epochs to FILE, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import Callback, DataModule, Task, Trainer
from lightning_tf.distribute.workers import Workers

CLASSES = 10


@dataclass(frozen=True)
class Problem:
    """A network and the shape of its data.

    Attributes:
        network: Makes the layers.
        shape: Of one example.
        batch: Examples in a global batch.
        steps: In an epoch.
    """

    network: Callable[[], keras.Model]
    shape: tuple[int, ...]
    batch: int
    steps: int

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return random examples and labels of one epoch."""
        random, count = np.random.RandomState(0), self.steps * self.batch
        examples = random.normal(size=(count, *self.shape)).astype("float32")
        return examples, random.randint(0, CLASSES, count).astype("int32")


def tiny_mlp() -> keras.Model:
    """Return a network of 4 variables, whose step is mostly overhead."""
    hidden = keras.layers.Dense(64, activation="relu")
    return keras.Sequential([keras.Input((32,)), hidden, keras.layers.Dense(CLASSES)])


def deep_mlp() -> keras.Model:
    """Return a network of 34 small variables, each with a gradient to sum and an update."""
    hidden = [keras.layers.Dense(32, activation="tanh") for _ in range(16)]
    return keras.Sequential([keras.Input((32,)), *hidden, keras.layers.Dense(CLASSES)])


def conv_net() -> keras.Model:
    """Return a network of 10 variables, whose step is mostly computation."""
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
        """Return the same batches in every epoch."""
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
        """Return Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the cross-entropy of examples (B, ...) float32 and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)


class Contender(Protocol):
    """A training run that runs an epoch at each call."""

    def epoch(self) -> None:
        """Run an epoch; the first one traces."""


class TrainerFit(Callback):
    """A fit of the Trainer in its own thread, which waits at the start of every epoch.

    It has no other callback or logger: they cost the same on any number of replicas.

    Args:
        problem: What it trains.
        epochs: The number of epochs that will be run.
        devices: Of this process.
    """

    logs_metrics = False

    def __init__(self, problem: Problem, epochs: int, devices: int = 1) -> None:
        off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        self.trainer = Trainer(
            accelerator="cpu",
            devices=devices,
            max_epochs=epochs,
            callbacks=[self],
            **dict.fromkeys(off, False),
        )
        self.problem = problem
        self.may_run, self.waits = threading.Semaphore(0), threading.Semaphore(0)
        self.failure: BaseException | None = None
        # A daemon: a failed benchmark ends without waiting for it.
        threading.Thread(target=self._run, daemon=True).start()
        self.waits.acquire()

    def _run(self) -> None:
        try:
            self.trainer.fit(Classifier(self.problem))
        except BaseException as error:
            self.failure = error
        self.waits.release()

    def _wait(self) -> None:
        self.waits.release()
        self.may_run.acquire()

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Wait until `epoch` is called."""
        self._wait()

    def epoch(self) -> None:
        """Let the thread run to the start of the next epoch."""
        self.may_run.release()
        self.waits.acquire()
        if self.failure is not None:
            raise self.failure


class BareLoop:
    """The same step written by hand with tf.distribute; an epoch is one call of a tf.function.

    Args:
        problem: What it trains.
        strategy: None for one device.
    """

    def __init__(self, problem: Problem, strategy: tf.distribute.Strategy | None = None) -> None:
        self._epochs = self._run(problem, strategy or tf.distribute.get_strategy())

    def epoch(self) -> None:
        """Run an epoch."""
        next(self._epochs)

    def _run(self, problem: Problem, strategy: tf.distribute.Strategy) -> Iterator[None]:
        with strategy.scope():
            model, optimizer = problem.network(), keras.optimizers.Adam()
            # Each replica adds up its own loss and accuracy: a step sums only gradients.
            accuracy, mean_loss = keras.metrics.SparseCategoricalAccuracy(), keras.metrics.Mean()
            optimizer.build(model.trainable_variables)

        def step(x: tf.Tensor, y: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
                loss = tf.reduce_sum(losses) / problem.batch
            variables = [variable.value for variable in model.trainable_variables]
            # Called inside a replica, Keras' optimizer sums the gradients over all.
            optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
            accuracy.update_state(y, logits)
            mean_loss.update_state(losses)

        @tf.function
        def steps(iterator: Any) -> tuple[tf.Tensor, tf.Tensor]:
            for _ in tf.range(problem.steps):
                tf.autograph.experimental.set_loop_options(parallel_iterations=1)
                strategy.run(step, next(iterator))
            return mean_loss.result(), accuracy.result()

        # Batches stay in host memory, which the CPU's logical devices can read.
        options = tf.distribute.InputOptions(experimental_fetch_to_device=False)
        data = strategy.distribute_datasets_from_function(partial(_rows, problem), options)
        while True:
            accuracy.reset_state()
            mean_loss.reset_state()
            loss, share = steps(iter(data))
            float(loss), float(share)
            yield


def _rows(problem: Problem, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """Return batches of one replica each, in turn for the replicas of this process."""
    dataset = tf.data.Dataset.from_tensor_slices(problem.arrays())
    shard = dataset.shard(context.num_input_pipelines, context.input_pipeline_id)
    return shard.batch(problem.batch // context.num_replicas_in_sync).prefetch(tf.data.AUTOTUNE)


def alternate(contenders: dict[str, Contender], runs: int) -> dict[str, list[float]]:
    """Return the seconds of `runs` epochs of each contender, every other one in reverse order.

    A first round traces and is left out.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(-1, runs):
        for name in list(contenders) if turn % 2 else reversed(contenders):
            start = time.perf_counter()
            contenders[name].epoch()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


class ChiefOnly:
    """A contender that runs on the chief alone while the other workers wait.

    Args:
        make: Makes it.
        workers: All of them.
    """

    def __init__(self, make: Callable[[], Contender], workers: Workers) -> None:
        self.workers, self.contender = workers, None
        if workers.is_chief:
            cluster = os.environ.pop("TF_CONFIG")  # without it a Trainer is on one device
            self.contender = make()
            os.environ["TF_CONFIG"] = cluster

    def epoch(self) -> None:
        """Run an epoch between two barriers."""
        self.workers.barrier()
        if self.contender is not None:
            self.contender.epoch()
        self.workers.barrier()


def on_workers(workers: Workers, strategy: Any, epochs: int) -> dict[str, Contender]:
    """Return the contenders: on all workers together, and on the chief alone."""
    contenders: dict[str, Contender] = {}
    for name, problem in PROBLEMS.items():
        fit, bare = partial(TrainerFit, problem, epochs), partial(BareLoop, problem)
        contenders[f"{name}|1|Trainer"] = ChiefOnly(fit, workers)
        contenders[f"{name}|1|bare loop"] = ChiefOnly(bare, workers)
        contenders[f"{name}|{workers.count}|Trainer"] = fit()
        contenders[f"{name}|{workers.count}|bare loop"] = bare(strategy)
    return contenders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=5, help="alternating runs, 5")
    options = parser.parse_args()
    first = Trainer(max_steps=1, accelerator="cpu", devices=1, logger=False)  # joins the others
    contenders = on_workers(first.workers, first.placement.strategy, options.runs + 1)
    seconds = alternate(contenders, options.runs)
    if first.workers.is_chief:
        options.file.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
