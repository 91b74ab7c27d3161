"""A CIFAR-sized conv net: FusedBatchNormalization under the Trainer against Keras' layer in fit.

    python benchmarks/conv_net.py [--runs 5] [--write] [--check]

Six 3x3 convolutions (32, 32, 64, 64, 128, 128 channels), each followed by batch normalisation and
relu, a pooling after every second, Adam, batch 128, random pictures of 32x32x3; in float32 and in
mixed_bfloat16. Three contenders for each: the Trainer with FusedBatchNormalization, the Trainer
with Keras' layer (which parts what the layer gives from what the loop gives), and
`keras.Model.fit` with Keras' layer. The Trainer has its default callbacks, fit has verbose=0.

An epoch counts from its start to the start of the next; the first, which holds tracing, is left
out and shows in the whole call.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.layers import FusedBatchNormalization

CHANNELS, CLASSES, BATCH = (32, 32, 64, 64, 128, 128), 10, 128
STEPS, EPOCHS = 24, 3

_random = np.random.RandomState(0)
X = _random.rand(STEPS * BATCH, 32, 32, 3).astype("float32")
Y = _random.randint(0, CLASSES, STEPS * BATCH).astype("int32")

Normalization = Callable[[], keras.layers.Layer]


def dataset() -> tf.data.Dataset:
    """The pipeline of all."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def network(normalization: Normalization) -> keras.Model:
    """The layers of all, in the dtype policy that is set."""
    layers: list[object] = [keras.Input((32, 32, 3))]
    for index, channels in enumerate(CHANNELS):
        layers += [
            keras.layers.Conv2D(channels, 3, padding="same", use_bias=False),
            normalization(),
            keras.layers.ReLU(),
        ]
        if index % 2:
            layers.append(keras.layers.MaxPooling2D())
    layers += [
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(CLASSES, dtype="float32"),
    ]
    return keras.Sequential(layers)


def cross_entropy() -> keras.losses.Loss:
    """The loss of all."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Noise(DataModule):
    """Random pictures and labels."""

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """The same batches in every epoch."""
        return dataset()


class Classifier(Task):
    """The conv net as a Task."""

    def __init__(self, normalization: Normalization) -> None:
        self.data = Noise(batch_size=BATCH)
        self.normalization = normalization
        self.cross_entropy = cross_entropy()

    def configure_model(self) -> None:
        """Make the layers."""
        self.model = network(self.normalization)

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Accuracy."""
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Cross-entropy of pictures (B, 32, 32, 3) float32 0..1 and labels (B,) int32."""
        x, y = batch
        logits = self.model(x, training=True)
        self.update_metrics(y, logits)
        return self.cross_entropy(y, logits)


def trainer_fit(normalization: Normalization, precision: str) -> measure.Timing:
    clock = measure.EpochClock()
    with measure.trainer_folder() as folder:

        def run() -> None:
            Trainer(
                max_epochs=EPOCHS, precision=precision, default_root_dir=folder, callbacks=[clock]
            ).fit(Classifier(normalization))

        return measure.timed(run, clock.starts)


def keras_fit(precision: str) -> measure.Timing:
    clock = measure.KerasEpochClock()

    def run() -> None:
        keras.config.set_dtype_policy(precision)
        model = network(keras.layers.BatchNormalization)
        keras.config.set_dtype_policy("float32")
        model.compile(keras.optimizers.Adam(), cross_entropy(), metrics=["accuracy"])
        model.fit(dataset(), epochs=EPOCHS, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def contenders(precision: str) -> dict[str, Callable[[], measure.Timing]]:
    """The three, in one precision."""
    keras_layer = keras.layers.BatchNormalization
    return {
        f"Trainer, FusedBatchNormalization, {precision}": lambda: trainer_fit(
            FusedBatchNormalization, precision
        ),
        f"Trainer, Keras' layer, {precision}": lambda: trainer_fit(keras_layer, precision),
        f"model.fit, Keras' layer, {precision}": lambda: keras_fit(precision),
    }


def main() -> None:
    options = measure.arguments(__doc__.splitlines()[0])
    rows, targets = [], []
    for precision, at_least in (("float32", 1.3), ("mixed_bfloat16", 2.0)):
        medians, rounds = measure.alternate(contenders(precision), options.runs)
        ours, _, theirs = medians.values()
        rows += [
            [
                name,
                f"{STEPS * BATCH / timing.epoch:,.0f}",
                f"{theirs.epoch / timing.epoch:.2f}",
                measure.spread(rounds[name]),
                f"{timing.whole:.1f}",
                f"{theirs.whole / timing.whole:.2f}",
            ]
            for name, timing in medians.items()
        ]
        # The aim for mixed_bfloat16 is for a CPU that has instructions for it.
        if precision == "float32" or "amx_bf16" in measure.cpu_flags():
            speed = theirs.epoch / ours.epoch
            targets.append(
                measure.Target(f"speed to model.fit, {precision}", speed, at_least=at_least)
            )
    header = ["", "pictures/s", "speed to model.fit", "spread of times"]
    text = f"Six 3x3 convolutions, batch {BATCH}, {STEPS} steps an epoch.\n\n" + measure.table(
        [*header, f"whole call, {EPOCHS} epochs (s)", "whole call, speed"], rows
    )
    measure.report("conv_net", text, targets, options)


if __name__ == "__main__":
    main()
