"""The cases of benchmarks/replica_parity.py, and the program that its workers run.

    lightning-tf launch --workers 2 -- benchmarks/parity_cases.py FOLDER

Every worker writes the weights and metrics of each case to ``FOLDER/<case>.<worker>.npz``.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.data import Digits
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables

Arrays = dict[str, np.ndarray]


class Reversed(DataModule):
    """Another module's data with the examples of every batch in the reverse order.

    Args:
        data: The module.
        batch_size: Its batch size.
    """

    def __init__(self, data: DataModule, batch_size: int) -> None:
        super().__init__(batch_size)
        self.data = data

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the data."""
        return getattr(vars(self)["data"], name)

    def setup(self, stage: str) -> None:
        """Set up the data."""
        self.data.trainer_seed = self.trainer_seed
        self.data.setup(stage)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return the same batches, each reversed."""
        return self.data.train_dataset(epoch).map(_reversed)

    def val_dataset(self) -> tf.data.Dataset:
        """Return the same batches, each reversed."""
        return self.data.val_dataset().map(_reversed)


def _reversed(*batch: Any) -> Any:
    parts = tf.nest.map_structure(lambda part: tf.reverse(part, [0]), batch)
    return parts if len(parts) > 1 else parts[0]


class Arrays2D(DataModule):
    """Rows of random numbers, shuffled by seed and epoch.

    Args:
        x: The rows.
        y: What goes with them, or None.
        batch_size: Of a global batch.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray | None, batch_size: int) -> None:
        super().__init__(batch_size)
        self.arrays = x if y is None else (x, y)
        self.count = len(x)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return all rows in the epoch's order."""
        return self._batches(np.random.RandomState([self.order_seed, epoch]).permutation)

    def val_dataset(self) -> tf.data.Dataset:
        """Return all rows in their order."""
        return self._batches(np.arange)

    def _batches(self, order: Callable[[int], np.ndarray]) -> tf.data.Dataset:
        rows = order(self.count)
        arrays = tf.nest.map_structure(lambda array: array[rows], self.arrays)
        return tf.data.Dataset.from_tensor_slices(arrays).batch(self.batch_size)


class PointGAN(Task):
    """A generator of points and a discriminator, each with an optimizer of its own.

    Args:
        data: Points of shape (batch, 2).
        optimizer: Makes an optimizer.
    """

    def __init__(self, data: DataModule, optimizer: Callable[[], Any]) -> None:
        self.data, self.optimizer = data, optimizer

    def configure_model(self) -> None:
        """Make two small nets."""
        self.generator = _dense_net(2, 2)
        self.discriminator = _dense_net(2, 1)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return one for each net."""
        return {"generator": self.optimizer(), "discriminator": self.optimizer()}

    def training_step(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return both losses; the noise is made of the points, so it is the same everywhere."""
        real_logits = self.discriminator(points)
        fake_logits = self.discriminator(self.generator(tf.math.sin(7.0 * points)))
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        on_real = loss(tf.ones_like(real_logits), real_logits)
        on_fake = loss(tf.zeros_like(fake_logits), fake_logits)
        generator_loss = loss(tf.ones_like(fake_logits), fake_logits)
        return {"generator": generator_loss, "discriminator": on_real + on_fake}

    def validation_step(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the same losses."""
        return self.training_step(points)


class Sequences(Task):
    """A GRU that tells whether the sum of a sequence is positive.

    Args:
        data: Sequences of shape (batch, steps, 1) and labels.
        optimizer: Makes an optimizer.
    """

    def __init__(self, data: DataModule, optimizer: Callable[[], Any]) -> None:
        self.data, self.optimizer = data, optimizer

    def configure_model(self) -> None:
        """Make one recurrent layer."""
        layers = [keras.layers.GRU(16, unroll=True), keras.layers.Dense(1)]
        self.model = keras.Sequential([keras.Input((12, 1)), *layers])

    def configure_optimizers(self) -> Any:
        """Return the optimizer."""
        return self.optimizer()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Return accuracy and the area under the curve."""
        return {
            "accuracy": keras.metrics.BinaryAccuracy(threshold=0.0),
            "auc": keras.metrics.AUC(from_logits=True),
        }

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the cross-entropy."""
        x, y = batch
        logits = self.model(x)
        self.update_metrics(y[:, None], logits)
        return keras.losses.BinaryCrossentropy(from_logits=True)(y[:, None], logits)

    def validation_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Return the cross-entropy."""
        return self.training_step(batch)


def _dense_net(inputs: int, outputs: int) -> keras.Model:
    hidden = keras.layers.Dense(32, activation="tanh")
    return keras.Sequential([keras.Input((inputs,)), hidden, keras.layers.Dense(outputs)])


def images(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """Make a task of 1,257 digits in batches of 61, the last of 37, and a net without kinks."""
    x = inputs = keras.Input((8, 8, 1))
    for filters, strides in ((16, 1), (32, 2), (32, 2)):
        x = keras.layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
        x = keras.activations.gelu(FusedBatchNormalization()(x))
    x = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
    data, network = wrap(Digits(batch_size=61), 61), keras.Model(inputs, x)
    return ImageClassification(data=data, network=network, optimizer=optimizer())


def images_with_kinks(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """Make a task of the same digits and the package's convnet, with relu and max pooling."""
    data = wrap(Digits(batch_size=61), 61)
    return ImageClassification(data=data, batch_norm=True, optimizer=optimizer())


def point_gan(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """Make a task of 301 points in batches of 32, the last of 13."""
    points = np.random.RandomState(1).normal(1.0, 0.5, (301, 2)).astype("float32")
    return PointGAN(wrap(Arrays2D(points, None, 32), 32), optimizer)


def sequences(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """Make a task of 131 sequences in batches of 13; the last, of one, leaves replicas empty."""
    x = np.random.RandomState(2).normal(size=(131, 12, 1)).astype("float32")
    return Sequences(wrap(Arrays2D(x, (x.sum((1, 2)) > 0).astype("float32"), 13), 13), optimizer)


TASKS = {"images": images, "adversaries": point_gan, "sequences": sequences}
NOT_SMOOTH = {"images, relu": images_with_kinks}
OPTIMIZERS = {
    "SGD momentum": partial(keras.optimizers.SGD, 0.05, momentum=0.9),
    "AdamW": partial(keras.optimizers.AdamW, 1e-3, weight_decay=0.004),
}
CLIPPINGS = {"norm": 0.1, "value": 0.01}
ACCUMULATIONS = (1, 3)


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    task: str
    optimizer: str
    clipping: str
    accumulation: int

    def __str__(self) -> str:
        """Return its name."""
        every = "every batch" if self.accumulation == 1 else f"every {self.accumulation} batches"
        return f"{self.task}, {self.optimizer}, by {self.clipping}, {every}"

    def run(
        self, updates: int, devices: int, wrap: Callable[..., DataModule] = lambda data, size: data
    ) -> tuple[Arrays, Arrays]:
        """Train and return weights and metrics."""
        keras.utils.set_random_seed(0)
        task = {**TASKS, **NOT_SMOOTH}[self.task](OPTIMIZERS[self.optimizer], wrap)
        trainer = Trainer(
            accelerator="cpu",
            devices=devices,
            seed=0,
            max_steps=updates,
            accumulate_grad_batches=self.accumulation,
            gradient_clip_val=CLIPPINGS[self.clipping],
            gradient_clip_algorithm=self.clipping,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task)
        weights = {name: np.asarray(v.numpy()) for name, v in all_variables(task).items()}
        values = {**trainer.callback_metrics, **trainer.validate(task)}
        return weights, {name: np.asarray(value) for name, value in values.items()}


CASES = [
    *(Case(*f) for f in itertools.product(TASKS, OPTIMIZERS, CLIPPINGS, ACCUMULATIONS)),
    *(Case(task, optimizer, "norm", 1) for task in NOT_SMOOTH for optimizer in OPTIMIZERS),
]


def arguments(description: str) -> argparse.ArgumentParser:
    """Return the parser of the options that say what runs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--updates", type=int, default=50, help="updates of a run, 50")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    return parser


def outcomes_of(folder: Path, number: int) -> list[tuple[Arrays, Arrays]]:
    """Return weights and metrics of a case, of each worker in their order."""
    outcomes = []
    for file in sorted(folder.glob(f"{number:02d}.*.npz")):
        with np.load(file) as arrays:
            parts: tuple[Arrays, Arrays] = ({}, {})
            for key in arrays.files:
                part, _, name = key.partition("/")
                parts[int(part)][name] = arrays[key]
        outcomes.append(parts)
    return outcomes


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    first = Trainer(max_steps=1, accelerator="cpu", devices=1, logger=False)  # joins the others
    for number, case in enumerate(CASES):
        if options.only in str(case):
            parts = case.run(options.updates, 1)
            named = {f"{i}/{name}": a for i, part in enumerate(parts) for name, a in part.items()}
            np.savez(options.folder / f"{number:02d}.{first.workers.index}.npz", **named)


if __name__ == "__main__":
    main()
