"""What benchmarks/scaling.py times, and in the workers of a run the program itself.

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
        """Random examples and labels of one epoch."""
        random, count = np.random.RandomState(0), self.steps * self.batch
        examples = random.normal(size=(count, *self.shape)).astype("float32")
        return examples, random.randint(0, CLASSES, count).astype("int32")


def tiny_mlp() -> keras.Model:
    """4 variables; what is around the mathematics outweighs it."""
    hidden = keras.layers.Dense(64, activation="relu")
    return keras.Sequential([keras.Input((32,)), hidden, keras.layers.Dense(CLASSES)])


def deep_mlp() -> keras.Model:
    """34 small variables, each with a gradient to sum and an update."""
    hidden = [keras.layers.Dense(32, activation="tanh") for _ in range(16)]
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


class Contender(Protocol):
    """A training run that is made once and runs an epoch whenever it is asked."""

    def epoch(self) -> None:
        """Run one; the first one traces."""


class TrainerFit(Callback):
    """A fit of the Trainer in a thread of its own, which waits at the start of every epoch.

    No other callback or logger takes part: they cost the same on any number of replicas.

    Args:
        problem: What it trains.
        epochs: As many as it will be asked for.
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
        self.going, self.waiting = threading.Semaphore(0), threading.Semaphore(0)
        self.failure: BaseException | None = None
        # A failed benchmark ends without waiting for it.
        threading.Thread(target=self._run, daemon=True).start()
        self.waiting.acquire()

    def _run(self) -> None:
        try:
            self.trainer.fit(Classifier(self.problem))
        except BaseException as error:
            self.failure = error
        self.waiting.release()

    def _wait(self) -> None:
        self.waiting.release()
        self.going.acquire()

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Wait until an epoch is asked for."""
        self._wait()

    def epoch(self) -> None:
        """Let it run to the start of the next one."""
        self.going.release()
        self.waiting.acquire()
        if self.failure is not None:
            raise self.failure


class BareLoop:
    """The same step under tf.distribute by hand: an epoch is one call of a tf.function.

    Args:
        problem: What it trains.
        strategy: None for one device.
    """

    def __init__(self, problem: Problem, strategy: tf.distribute.Strategy | None = None) -> None:
        self._epochs = self._run(problem, strategy or tf.distribute.get_strategy())

    def epoch(self) -> None:
        """Run one."""
        next(self._epochs)

    def _run(self, problem: Problem, strategy: tf.distribute.Strategy) -> Iterator[None]:
        with strategy.scope():
            model, optimizer = problem.network(), keras.optimizers.Adam()
            # Each replica adds up a loss and an accuracy of its own: no sum over them at a step.
            accuracy, mean_loss = keras.metrics.SparseCategoricalAccuracy(), keras.metrics.Mean()
            optimizer.build(model.trainable_variables)

        def step(x: tf.Tensor, y: tf.Tensor) -> None:
            with tf.GradientTape() as tape:
                logits = model(x, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
                loss = tf.reduce_sum(losses) / problem.batch
            variables = [variable.value for variable in model.trainable_variables]
            # Inside the replicas Keras' optimizer sums gradients over them.
            optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
            accuracy.update_state(y, logits)
            mean_loss.update_state(losses)

        @tf.function
        def steps(iterator: Any) -> tuple[tf.Tensor, tf.Tensor]:
            for _ in tf.range(problem.steps):
                tf.autograph.experimental.set_loop_options(parallel_iterations=1)
                strategy.run(step, next(iterator))
            return mean_loss.result(), accuracy.result()

        # Batches stay in the host's memory, where logical devices of the CPU read them too.
        options = tf.distribute.InputOptions(experimental_fetch_to_device=False)
        data = strategy.distribute_datasets_from_function(partial(_rows, problem), options)
        while True:
            accuracy.reset_state()
            mean_loss.reset_state()
            loss, share = steps(iter(data))
            float(loss), float(share)
            yield


def _rows(problem: Problem, where: tf.distribute.InputContext) -> tf.data.Dataset:
    """Batches of one replica each, in turn for those of this process."""
    dataset = tf.data.Dataset.from_tensor_slices(problem.arrays())
    own = dataset.shard(where.num_input_pipelines, where.input_pipeline_id)
    return own.batch(problem.batch // where.num_replicas_in_sync).prefetch(tf.data.AUTOTUNE)


def alternate(contenders: dict[str, Contender], runs: int) -> dict[str, list[float]]:
    """Seconds of `runs` epochs of each contender, in turn, each round in the other order.

    A first round traces and is left out.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(-1, runs):
        for name in list(contenders) if turn % 2 else reversed(contenders):
            began = time.perf_counter()
            contenders[name].epoch()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - began)
    return seconds


class Alone:
    """A contender of the chief without the others, which wait for it.

    Args:
        make: Makes it.
        workers: All of them.
    """

    def __init__(self, make: Callable[[], Contender], workers: Workers) -> None:
        self.workers, self.contender = workers, None
        if workers.is_chief:
            cluster = os.environ.pop("TF_CONFIG")  # a Trainer that finds none is on one device
            self.contender = make()
            os.environ["TF_CONFIG"] = cluster

    def epoch(self) -> None:
        """Run one between two points at which all are."""
        self.workers.barrier()
        if self.contender is not None:
            self.contender.epoch()
        self.workers.barrier()


def on_workers(workers: Workers, strategy: Any, epochs: int) -> dict[str, Contender]:
    """The contenders of a worker: all of them together, and the chief alone while others wait."""
    contenders: dict[str, Contender] = {}
    for name, problem in PROBLEMS.items():
        fit, bare = partial(TrainerFit, problem, epochs), partial(BareLoop, problem)
        contenders[f"{name}|1|Trainer"] = Alone(fit, workers)
        contenders[f"{name}|1|bare loop"] = Alone(bare, workers)
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
