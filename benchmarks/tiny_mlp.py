"""Fits of a tiny MLP, whose step is mostly overhead, for fit_overhead.py, mirrored.py and others.

All contenders share the pipeline, the layers, the loss, the optimizer and the metric.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import keras
import measure
import numpy as np
import tensorflow as tf
from tiny_network import BATCH, CLASSES, FEATURES, TinyNetwork, cross_entropy, network

from lightning_tf import Callback, DataModule, Task, Trainer

STEPS = 2000  # of the longest epoch

_random = np.random.RandomState(0)
X = _random.randn(STEPS * BATCH, FEATURES).astype("float32")
Y = _random.randint(0, CLASSES, STEPS * BATCH).astype("int32")


def dataset(steps: int) -> tf.data.Dataset:
    """Return the pipeline of an epoch."""
    examples = tf.data.Dataset.from_tensor_slices((X[: steps * BATCH], Y[: steps * BATCH]))
    return examples.batch(BATCH).prefetch(tf.data.AUTOTUNE)


class Noise(DataModule):
    """Random features and labels, in a data set that is made once, as for all contenders."""

    def __init__(self, steps: int) -> None:
        super().__init__(BATCH)
        self.steps = steps

    def setup(self, stage: str) -> None:
        """Make the data set."""
        self.batches = dataset(self.steps)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the same batches in every epoch."""
        return self.batches


class Classifier(TinyNetwork):
    """The MLP as a Task on this data set."""

    def __init__(self, steps: int) -> None:
        self.data = Noise(steps)
        self.cross_entropy = cross_entropy()
        self.logged = 0


class Windows(Callback):
    """The number of updates in each of the Trainer's windows."""

    logs_metrics = False

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Note a length."""
        self.lengths.append(trainer.global_step - trainer.window_start_step)


def trainer_fit(steps: int, epochs: int, **arguments: Any) -> measure.Timing:
    """Time Trainer.fit with its default callbacks and logger."""
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            callbacks = [clock]
            Trainer(
                max_epochs=epochs, default_root_dir=folder, callbacks=callbacks, **arguments
            ).fit(Classifier(steps))

        return measure.timed(run, clock.starts)


def keras_fit(
    steps: int, epochs: int, strategy: tf.distribute.Strategy | None = None, at_once: int = 1
) -> measure.Timing:
    """Time model.fit with verbose=0, under a strategy or with several steps an execution."""
    clock = measure.KerasEpochClock()

    def run() -> None:
        with (strategy or tf.distribute.get_strategy()).scope():
            model = network()
            model.compile(
                keras.optimizers.Adam(),
                cross_entropy(),
                metrics=["accuracy"],
                steps_per_execution=at_once,
            )
        model.fit(dataset(steps), epochs=epochs, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def bare_loop(steps: int, epochs: int, window: int) -> measure.Timing:
    """Time one tf.function of `window` steps, read after every call, without callbacks."""
    starts: list[float] = []

    def run() -> None:
        model, loss_function, optimizer = network(), cross_entropy(), keras.optimizers.Adam()
        accuracy = keras.metrics.SparseCategoricalAccuracy()
        optimizer.build(model.trainable_variables)
        variables = [variable.value for variable in model.trainable_variables]

        @tf.function
        def call(iterator: tf.data.Iterator) -> tuple[tf.Tensor, tf.Tensor]:
            total = tf.zeros([])
            for _ in tf.range(window):
                x, y = next(iterator)
                with tf.GradientTape() as tape:
                    logits = model(x, training=True)
                    loss = loss_function(y, logits)
                optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
                accuracy.update_state(y, logits)
                total += loss
            return total / window, accuracy.result()

        data = dataset(steps)
        for _ in range(epochs):
            starts.append(time.perf_counter())
            iterator = iter(data)
            accuracy.reset_state()
            for _ in range(steps // window):
                loss, share = call(iterator)
                float(loss), float(share)
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def most_common_window(steps: int) -> int:
    """Return the largest divisor of an epoch up to the most common length of a window."""
    windows = Windows()
    with measure.trainer_folder() as folder:
        Trainer(max_epochs=2, default_root_dir=folder, callbacks=[windows]).fit(Classifier(steps))
    most_common = statistics.mode(windows.lengths)
    return next(length for length in range(most_common, 0, -1) if steps % length == 0)
