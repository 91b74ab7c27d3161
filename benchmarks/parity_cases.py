"""What benchmarks/replica_parity.py trains, and in the workers of a run the program itself.

    lightning-tf launch --workers 2 -- benchmarks/parity_cases.py FOLDER

Every worker writes what each case ends with to ``FOLDER/<case's number>.<worker>.npz``.
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
        """Whatever else a task asks of its data."""
        return getattr(vars(self)["data"], name)

    def setup(self, stage: str) -> None:
        """Set up the data."""
        self.data.trainer_seed = self.trainer_seed
        self.data.setup(stage)

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """The same batches, each reversed."""
        return self.data.train_dataset(epoch).map(_reversed)

    def val_dataset(self) -> tf.data.Dataset:
        """The same batches, each reversed."""
        return self.data.val_dataset().map(_reversed)


def _reversed(*batch: Any) -> Any:
    turned = tf.nest.map_structure(lambda part: tf.reverse(part, [0]), batch)
    return turned if len(turned) > 1 else turned[0]


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
        """All rows in the epoch's order."""
        return self._batches(np.random.RandomState([self.order_seed, epoch]).permutation)

    def val_dataset(self) -> tf.data.Dataset:
        """All rows in their order."""
        return self._batches(np.arange)

    def _batches(self, order: Callable[[int], np.ndarray]) -> tf.data.Dataset:
        rows = order(self.count)
        arrays = tf.nest.map_structure(lambda array: array[rows], self.arrays)
        return tf.data.Dataset.from_tensor_slices(arrays).batch(self.batch_size)


class Adversaries(Task):
    """A generator of points and a discriminator, each with an optimizer of its own.

    Args:
        data: Points of shape (batch, 2).
        optimizer: Makes an optimizer.
    """

    def __init__(self, data: DataModule, optimizer: Callable[[], Any]) -> None:
        self.data, self.optimizer = data, optimizer

    def configure_model(self) -> None:
        """Two small nets."""
        self.generator = _dense_net(2, 2)
        self.discriminator = _dense_net(2, 1)

    def configure_optimizers(self) -> dict[str, Any]:
        """One for each net."""
        return {"generator": self.optimizer(), "discriminator": self.optimizer()}

    def training_step(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses of both; the noise comes from the points: it is the same everywhere."""
        made = self.generator(tf.math.sin(7.0 * points))
        real, fake = self.discriminator(points), self.discriminator(made)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        judged = loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)
        return {"generator": loss(tf.ones_like(fake), fake), "discriminator": judged}

    def validation_step(self, points: tf.Tensor) -> dict[str, tf.Tensor]:
        """The same losses."""
        return self.training_step(points)


class Sequences(Task):
    """A GRU that tells whether a sequence sums up to more than nothing.

    Args:
        data: Sequences of shape (batch, steps, 1) and labels.
        optimizer: Makes an optimizer.
    """

    def __init__(self, data: DataModule, optimizer: Callable[[], Any]) -> None:
        self.data, self.optimizer = data, optimizer

    def configure_model(self) -> None:
        """One recurrent layer."""
        layers = [keras.layers.GRU(16, unroll=True), keras.layers.Dense(1)]
        self.model = keras.Sequential([keras.Input((12, 1)), *layers])

    def configure_optimizers(self) -> Any:
        """The given one."""
        return self.optimizer()

    def configure_metrics(self) -> dict[str, keras.metrics.Metric]:
        """Accuracy and the area under the curve."""
        return {
            "accuracy": keras.metrics.BinaryAccuracy(threshold=0.0),
            "auc": keras.metrics.AUC(from_logits=True),
        }

    def training_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Cross entropy."""
        x, y = batch
        logits = self.model(x)
        self.update_metrics(y[:, None], logits)
        return keras.losses.BinaryCrossentropy(from_logits=True)(y[:, None], logits)

    def validation_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """The same."""
        return self.training_step(batch)


def _dense_net(inputs: int, outputs: int) -> keras.Model:
    hidden = keras.layers.Dense(32, activation="tanh")
    return keras.Sequential([keras.Input((inputs,)), hidden, keras.layers.Dense(outputs)])


def images(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """1,257 digits in batches of 61, the last of 37; a net that is smooth everywhere."""
    x = inputs = keras.Input((8, 8, 1))
    for filters, strides in ((16, 1), (32, 2), (32, 2)):
        x = keras.layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
        x = keras.activations.gelu(FusedBatchNormalization()(x))
    x = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
    data, network = wrap(Digits(batch_size=61), 61), keras.Model(inputs, x)
    return ImageClassification(data=data, network=network, optimizer=optimizer())


def kinks(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """The same digits and the package's convnet, with relu and max pooling."""
    data = wrap(Digits(batch_size=61), 61)
    return ImageClassification(data=data, batch_norm=True, optimizer=optimizer())


def adversaries(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """301 points in batches of 32, the last of 13."""
    points = np.random.RandomState(1).normal(1.0, 0.5, (301, 2)).astype("float32")
    return Adversaries(wrap(Arrays2D(points, None, 32), 32), optimizer)


def sequences(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
    """131 sequences in batches of 13, the last of one, which leaves replicas without examples."""
    x = np.random.RandomState(2).normal(size=(131, 12, 1)).astype("float32")
    return Sequences(wrap(Arrays2D(x, (x.sum((1, 2)) > 0).astype("float32"), 13), 13), optimizer)


TASKS = {"images": images, "adversaries": adversaries, "sequences": sequences}
NOT_SMOOTH = {"images, relu": kinks}
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
        """Its name."""
        every = "every batch" if self.accumulation == 1 else f"every {self.accumulation} batches"
        return f"{self.task}, {self.optimizer}, by {self.clipping}, {every}"

    def run(
        self, updates: int, devices: int, wrap: Callable[..., DataModule] = lambda data, size: data
    ) -> tuple[Arrays, Arrays]:
        """Train; return weights and values."""
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
    """The part of the command line that says what runs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--updates", type=int, default=50, help="updates of a run, 50")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    return parser


def outcomes_of(folder: Path, number: int) -> list[tuple[Arrays, Arrays]]:
    """Weights and values of a case, of each worker in their order."""
    found = []
    for file in sorted(folder.glob(f"{number:02d}.*.npz")):
        with np.load(file) as arrays:
            parts: tuple[Arrays, Arrays] = ({}, {})
            for key in arrays.files:
                part, _, name = key.partition("/")
                parts[int(part)][name] = arrays[key]
        found.append(parts)
    return found


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
