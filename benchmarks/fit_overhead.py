"""What a step costs around its mathematics: Trainer.fit, `keras.Model.fit` and a bare window loop.

    python benchmarks/fit_overhead.py [--runs 5] [--write] [--check]

A tiny MLP (32 features, 64 hidden units, 10 classes) with Adam, cross-entropy and accuracy at
batch 32, where the loop outweighs the mathematics. The three share the data set, the layers, the
loss, the optimizer and the metric:

- Trainer.fit with its default callbacks and logger: progress bar (drawn in full, into memory),
  model summary, a row every 50 updates, a checkpoint after every epoch;
- model.fit with Keras' defaults and verbose=0;
- a bare loop: one tf.function of as many steps as the Trainer's windows hold, whose loss and
  accuracy are read after every call. No callback, no checkpoint.

A step's time is that of an epoch, from its start to the start of the next, divided by its steps.
The first epoch, which holds tracing, is left out; the whole call shows it as well.
"""

from __future__ import annotations

import statistics
import time

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import Callback, DataModule, Task, Trainer

FEATURES, HIDDEN, CLASSES, BATCH = 32, 64, 10, 32
STEPS, EPOCHS = 2000, 4

_random = np.random.RandomState(0)
X = _random.randn(STEPS * BATCH, FEATURES).astype("float32")
Y = _random.randint(0, CLASSES, STEPS * BATCH).astype("int32")


def dataset() -> tf.data.Dataset:
    """The pipeline of all three."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def network() -> keras.Model:
    """The layers of all three."""
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(HIDDEN, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )


def cross_entropy() -> keras.losses.Loss:
    """The loss of all three."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Noise(DataModule):
    """Random features and labels, in a data set that is made once, as for the other two."""

    def setup(self, stage: str) -> None:
        """Make it."""
        self.batches = dataset()

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """The same batches in every epoch."""
        return self.batches


class Classifier(Task):
    """The MLP as a Task."""

    def __init__(self) -> None:
        self.data = Noise(batch_size=BATCH)
        self.cross_entropy = cross_entropy()

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = network()

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Cross-entropy of features (B, 32) float32 and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)


class Windows(Callback):
    """Notes how many updates each of the Trainer's windows held."""

    logs_metrics = False

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Note a length."""
        self.lengths.append(trainer.global_step - trainer.window_start_step)


def trainer_fit() -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            Trainer(max_epochs=EPOCHS, default_root_dir=folder, callbacks=[clock]).fit(Classifier())

        return measure.timed(run, clock.starts)


def keras_fit() -> measure.Timing:
    clock = measure.KerasEpochClock()

    def run() -> None:
        model = network()
        model.compile(keras.optimizers.Adam(), cross_entropy(), metrics=["accuracy"])
        model.fit(dataset(), epochs=EPOCHS, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def bare_loop(window: int) -> measure.Timing:
    starts: list[float] = []

    def run() -> None:
        model, loss_function, optimizer = network(), cross_entropy(), keras.optimizers.Adam()
        accuracy = keras.metrics.SparseCategoricalAccuracy()
        optimizer.build(model.trainable_variables)
        variables = [variable.value for variable in model.trainable_variables]

        @tf.function
        def steps(iterator: tf.data.Iterator) -> tuple[tf.Tensor, tf.Tensor]:
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

        data = dataset()
        for _ in range(EPOCHS):
            starts.append(time.perf_counter())
            iterator = iter(data)
            accuracy.reset_state()
            for _ in range(STEPS // window):
                loss, share = steps(iterator)
                float(loss), float(share)
        starts.append(time.perf_counter())

    return measure.timed(run, starts)


def usual_window() -> int:
    """The length that most of the Trainer's windows have, or the next below that parts an epoch."""
    windows = Windows()
    with measure.trainer_folder() as folder:
        Trainer(max_epochs=2, default_root_dir=folder, callbacks=[windows]).fit(Classifier())
    longest = statistics.mode(windows.lengths)
    return next(length for length in range(longest, 0, -1) if STEPS % length == 0)


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    window = usual_window()
    contenders = {
        "Trainer.fit": trainer_fit,
        "model.fit": keras_fit,
        "bare loop": lambda: bare_loop(window),
    }
    medians, rounds = measure.alternate(contenders, options.runs)
    ours, keras_own, bare = (medians[name] for name in contenders)
    rows = [
        [
            name,
            f"{timing.epoch / STEPS * 1e6:.0f}",
            f"{timing.epoch / keras_own.epoch:.2f}",
            measure.spread(rounds[name]),
            f"{timing.whole:.2f}",
            f"{timing.whole / keras_own.whole:.2f}",
        ]
        for name, timing in medians.items()
    ]
    header = ["", "us a step", "step to model.fit", "spread", f"whole call, {EPOCHS} epochs (s)"]
    text = (
        f"Tiny MLP, batch {BATCH}, {STEPS} steps an epoch, windows of {window} steps.\n\n"
        + measure.table([*header, "whole call to model.fit"], rows)
    )
    targets = [
        measure.Target("Trainer.fit to model.fit, a step", ours.epoch / keras_own.epoch, 0.33),
        measure.Target("Trainer.fit to the bare loop, a step", ours.epoch / bare.epoch, 1.15),
    ]
    measure.report("fit_overhead", text, targets, options)


if __name__ == "__main__":
    main()
