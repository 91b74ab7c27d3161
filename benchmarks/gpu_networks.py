"""Networks and fits of gpu_checks.py: images whose batch is copied to the device, or lies there."""

from __future__ import annotations

import math
from typing import Any

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import KerasTask

CLASSES = 10
CHANCE = math.log(CLASSES)
PRECISION = "mixed_bfloat16"
LAYERS = 32  # of 16 MiB an example each, with 2**22 numbers: 256 examples take 128 GiB


def network(name: str, side: int) -> keras.Model:
    """Return ``resnet50`` or ``conv``, of images (B, side, side, 3), with logits in float32."""
    if name == "resnet50":
        shape = (side, side, 3)
        body = keras.applications.ResNet50(
            weights=None, include_top=False, pooling="avg", input_shape=shape
        )
        head = keras.layers.Dense(CLASSES, dtype="float32")
        return keras.Model(body.input, head(body.output))

    layers: list[Any] = [keras.Input((side, side, 3))]
    for channels in (32, 64, 128):
        layers += [
            keras.layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False),
            FusedBatchNormalization(),
            keras.layers.ReLU(),
        ]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES, dtype="float32")]
    return keras.Sequential([*layers, *head])


def cross_entropy() -> keras.losses.Loss:
    """Return the loss of all contenders."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def dataset(side: int, batch: int, steps: int) -> tf.data.Dataset:
    """Return an epoch of one batch of noise, read from host memory at every step."""
    random = np.random.default_rng(0)
    with tf.device("CPU:0"):
        x = tf.constant(random.random((batch, side, side, 3), np.float32))
        y = tf.constant(random.integers(0, CLASSES, batch, np.int32))
        return tf.data.Dataset.from_tensors((x, y)).repeat(steps).prefetch(2)


class OneBatch(DataModule):
    """The same batch in every step."""

    def __init__(self, side: int, batch: int, steps: int) -> None:
        super().__init__(batch)
        self.sizes = (side, batch, steps)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return an epoch."""
        return dataset(*self.sizes)


class Images(Task):
    """A classifier of one batch.

    Args:
        name: Of the network.
        side: Of the images, in pixels.
        batch: Images in a batch.
        steps: Of an epoch.
        resident: Train on a batch that lies on the device; what comes from the host is left alone.
    """

    def __init__(
        self, name: str, side: int, batch: int, steps: int, resident: bool = False
    ) -> None:
        self.name, self.side, self.batch, self.resident = name, side, batch, resident
        self.data = OneBatch(side, 1 if resident else batch, steps)
        self.cross_entropy = cross_entropy()

    def configure_model(self) -> None:
        """Make the network, and the batch where it lies on the device."""
        self.model = network(self.name, self.side)
        if self.resident:
            shape = (self.batch, self.side, self.side, 3)
            noise = np.random.default_rng(0).random(shape, np.float32)
            self.images = keras.Variable(noise, trainable=False, dtype="float32")

    def configure_optimizers(self) -> keras.optimizers.Optimizer:
        """Return Adam with Keras' defaults."""
        return keras.optimizers.Adam()

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the loss of images (B, side, side, 3) float32 and labels (B,) int32."""
        x, y = batch
        if self.resident:
            x, y = self.images.value, tf.zeros(self.batch, tf.int32)
        return self.cross_entropy(y, self.model(x, training=True))


def trainer_fit(
    name: str,
    side: int,
    batch: int,
    steps: int,
    epochs: int,
    *,
    precision: str = PRECISION,
    resident: bool = False,
    **options: Any,
) -> measure.Timing:
    """Time Trainer.fit on one device; checkpoints would be most of so short an epoch."""
    clock = measure.EpochClock()
    task = Images(name, side, batch, steps, resident)
    with measure.trainer_folder() as folder:
        options |= {"max_epochs": epochs, "devices": 1, "enable_checkpointing": False}
        trainer = Trainer(precision=precision, default_root_dir=folder, callbacks=clock, **options)
        return measure.timed(lambda: trainer.fit(task), clock.starts)


def keras_fit(name: str, side: int, batch: int, steps: int, epochs: int) -> measure.Timing:
    """Time model.fit with verbose=0, in the same precision, compiled by Keras' own rule."""
    clock = measure.KerasEpochClock()

    def run() -> None:
        keras.config.set_dtype_policy(PRECISION)
        model = network(name, side)
        keras.config.set_dtype_policy("float32")
        model.compile(keras.optimizers.Adam(), cross_entropy())
        data = dataset(side, batch, steps)
        model.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[clock])

    return measure.timed(run, clock.starts)


def hungry_model(numbers: int) -> keras.Model:
    """Return a model that keeps LAYERS * `numbers` float32 of each example for its gradients.

    In many tensors: one that fills a GPU alone has more elements than int32 counts.
    """
    x = keras.Input((1,))
    wide = keras.ops.repeat(x, numbers, axis=1)  # (B, numbers)
    for _ in range(LAYERS):
        wide = keras.ops.tanh(wide)
    y = keras.layers.Dense(1)(keras.ops.mean(wide, axis=1, keepdims=True))
    return keras.Model(x, y)


def trained_weights(devices: int, updates: int) -> list[np.ndarray]:
    """Return the weights after some updates of SGD with momentum, with batches of one size."""
    # First of all: it makes the logical devices of a CPU.
    trainer = Trainer(
        max_steps=updates, devices=devices, seed=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, jit_compile=False,
        float32_matmul_precision="highest",
    )  # fmt: skip

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(64 * updates, 32)).astype("float32")
    y = np.tanh(x[:, :4].sum(1, keepdims=True))
    layers = [keras.layers.Dense(64, activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((32,)), *layers])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    trainer.fit(KerasTask(model, data=(x, y), batch_size=64, shuffle=False))
    return [np.asarray(weight) for weight in model.get_weights()]
