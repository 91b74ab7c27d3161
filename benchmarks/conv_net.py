"""A CIFAR-sized conv net: FusedBatchNormalization under the Trainer, Keras' layer in fit, PyTorch.

    python benchmarks/conv_net.py [--runs 5] [--write] [--check] [--quick]

Six 3x3 convolutions (32, 32, 64, 64, 128, 128 channels), each followed by batch normalization and
relu, a pooling after every second, Adam, batch 128, random images of 32x32x3; in float32 and in
mixed_bfloat16. For each: the Trainer with FusedBatchNormalization, with Keras' layer (which
separates what the layer gains from what the loop gains) and without normalization (which shows what
is left to gain); `keras.Model.fit` with Keras' layer; Lightning, and a plain torch loop with
channels_last, with and without torch.compile (`make bench-peers`; in another process, in turn with
the rest). The Trainer and Lightning have their default callbacks, fit has verbose=0, the torch loop
nothing.

An epoch counts from its start to the start of the next; the first, which holds tracing, is left
out and shows in the whole call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
import measure
import numpy as np
import tensorflow as tf
from peer import Peer, note, peer

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.layers import FusedBatchNormalization

CHANNELS, CLASSES, BATCH = (32, 32, 64, 64, 128, 128), 10, 128
STEPS, EPOCHS = 16, 3
OURS, FIT = "Trainer, FusedBatchNormalization", "model.fit, Keras' layer"
BARE, LIGHTNING, TORCH = "Trainer, no normalization", "Lightning", "torch, channels_last"
COMPILED = "torch, channels_last, torch.compile"
TARGETS = {"float32": (1.4, 1.4), "mixed_bfloat16": (2.2, 1.7)}  # speed to fit, to Lightning

_random = np.random.RandomState(0)
X = _random.rand(STEPS * BATCH, 32, 32, 3).astype("float32")
Y = _random.randint(0, CLASSES, STEPS * BATCH).astype("int32")

Normalization = Callable[[], keras.layers.Layer] | None


def dataset(steps: int) -> tf.data.Dataset:
    """Return the pipeline of all contenders."""
    examples = tf.data.Dataset.from_tensor_slices((X[: steps * BATCH], Y[: steps * BATCH]))
    return examples.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def network(normalization: Normalization) -> keras.Model:
    """Return the network of all contenders, in the current dtype policy."""
    layers: list[object] = [keras.Input((32, 32, 3))]
    for index, channels in enumerate(CHANNELS):
        layers.append(keras.layers.Conv2D(channels, 3, padding="same", use_bias=False))
        if normalization is not None:
            layers.append(normalization())
        layers.append(keras.layers.ReLU())
        if index % 2:
            layers.append(keras.layers.MaxPooling2D())
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(CLASSES, dtype="float32"),
    ]
    return keras.Sequential(layers)


def cross_entropy() -> keras.losses.Loss:
    """Return the loss of all contenders."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Noise(DataModule):
    """Random images and labels."""

    def __init__(self, steps: int) -> None:
        super().__init__(BATCH)
        self.steps = steps

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the same batches in every epoch."""
        return dataset(self.steps)


class Classifier(Task):
    """The conv net as a Task."""

    def __init__(self, normalization: Normalization, steps: int) -> None:
        self.data = Noise(steps)
        self.normalization = normalization
        self.cross_entropy = cross_entropy()

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = network(self.normalization)

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the loss of images (B, 32, 32, 3) float32 in [0, 1] and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)


def trainer_fit(normalization: Normalization, precision: str, steps: int) -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            Trainer(
                max_epochs=EPOCHS, precision=precision, default_root_dir=folder, callbacks=[clock]
            ).fit(Classifier(normalization, steps))

        return measure.timed(run, clock.starts)


def keras_fit(precision: str, steps: int) -> measure.Timing:
    clock = measure.KerasEpochClock()

    def run() -> None:
        keras.config.set_dtype_policy(precision)
        model = network(keras.layers.BatchNormalization)
        keras.config.set_dtype_policy("float32")
        model.compile(keras.optimizers.Adam(), cross_entropy(), metrics=["accuracy"])
        model.fit(dataset(steps), epochs=EPOCHS, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def contenders(
    process: Peer | None, precision: str, steps: int, *, quick: bool
) -> dict[str, Callable[[], measure.Timing]]:
    """Return what runs in one precision; with `quick`, only what has a target."""
    keras_layer = keras.layers.BatchNormalization
    runs = {
        OURS: partial(trainer_fit, FusedBatchNormalization, precision, steps),
        FIT: partial(keras_fit, precision, steps),
    }
    if process is not None:
        sizes = {"steps": steps, "epochs": EPOCHS, "batch": BATCH}
        sizes["bf16"] = precision == "mixed_bfloat16"
        runs[TORCH] = process.contender("conv_net", "loop", **sizes)
        if not quick:
            runs[LIGHTNING] = process.contender("conv_net", "fit", **sizes)
            runs[COMPILED] = process.contender("conv_net", "loop", **sizes, compiled=True)
    if not quick:
        runs["Trainer, Keras' layer"] = partial(trainer_fit, keras_layer, precision, steps)
        runs[BARE] = partial(trainer_fit, None, precision, steps)
    return runs


def targets_of(precision: str, rounds: dict[str, list[measure.Timing]]) -> list[measure.Target]:
    """Return the targets of the contenders that ran."""
    if precision == "mixed_bfloat16" and "amx_bf16" not in measure.cpu_flags():
        return []  # the targets are for a CPU with instructions for bfloat16
    to_fit, to_lightning = TARGETS[precision]
    at_least = {FIT: to_fit, LIGHTNING: to_lightning, TORCH: 1.0}
    return [
        measure.Target(
            f"speed to {name}, {precision}",
            measure.speed(rounds[OURS], rounds[name]),
            at_least=bound,
        )
        for name, bound in at_least.items()
        if name in rounds
    ]


def rows_of(precision: str, rounds: dict[str, list[measure.Timing]], steps: int) -> list[list[str]]:
    """Return the rows of the table."""
    return [
        [
            f"{name}, {precision}",
            f"{steps * BATCH / measure.median_timing(timings).epoch:,.0f}",
            f"{measure.speed(timings, rounds[FIT]):.2f}",
            f"{measure.speed(timings, rounds[BARE]):.2f}" if BARE in rounds else "",
            measure.spread(timings),
            f"{measure.median_timing(timings).whole:.1f}",
        ]
        for name, timings in rounds.items()
    ]


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    precisions, steps = list(TARGETS), STEPS
    if options.quick:
        options.runs, precisions, steps = 1, ["float32"], 4
    rows, targets = [], []
    with peer() as process:
        for precision in precisions:
            runs = contenders(process, precision, steps, quick=options.quick)
            _, rounds = measure.alternate(runs, options.runs, warm_up=not options.quick)
            rows += rows_of(precision, rounds, steps)
            targets += targets_of(precision, rounds)
        versions = note(process)
    header = ["", "images/s", "speed to model.fit", f"speed to {BARE}", "spread of times"]
    text = f"Six 3x3 convolutions, batch {BATCH}, {steps} steps an epoch. {versions}\n\n"
    table = measure.table([*header, f"whole call, {EPOCHS} epochs (s)"], rows)
    measure.report("conv_net", text + table, targets, options)


if __name__ == "__main__":
    main()
