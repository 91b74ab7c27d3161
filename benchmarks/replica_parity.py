"""The same fit on one device and on several replicas: how far weights and metrics are apart.

    python benchmarks/replica_parity.py [--write] [--check] [--only TEXT] [--updates 50]

Three tasks: ImageClassification on the digits with synchronised batch normalisation and batches of
which the last is smaller; a generator and a discriminator with an optimizer each; a GRU on
sequences. Each with SGD with momentum and with AdamW, clipped by norm and by value, with 1 and with
3 batches an update. Every case is trained for the same number of updates on one CPU and on logical
ones, and then validated.

The difference of two arrays is the norm of their difference over the norm of the first, which is
taken to be at least 0.001 for each element, an update of AdamW: a single bias that passes through
zero has no digits of its own. A case shows the largest of all its arrays.

Both runs compute in float32, and a sum over parts rounds otherwise than a sum over the whole: the
column "reordered" shows what that alone does, on one device with the examples of every batch in the
reverse order. It tells the rows of a net with relu and max pooling, which no target judges: where
an activation lies at a kink, the last bit decides which way a gradient goes, and all that follows.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import measure
import numpy as np
import tensorflow as tf

from lightning_tf import DataModule, Task, Trainer
from lightning_tf.data.digits import Digits
from lightning_tf.layers import FusedBatchNormalization
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables

TOLERANCE = 1e-5
SMALLEST = 1e-3
REPLICAS = (2, 4)
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


def pictures(optimizer: Callable[[], Any], wrap: Callable[..., DataModule]) -> Task:
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


TASKS = {"pictures": pictures, "adversaries": adversaries, "sequences": sequences}
NOT_SMOOTH = {"pictures, relu": kinks}
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


def apart(one: Arrays, other: Arrays) -> float:
    """The largest relative difference of all arrays."""
    if set(one) != set(other):
        raise SystemExit(f"not the same names: {sorted(set(one) ^ set(other))}")
    return max(
        float(np.linalg.norm(one[name] - other[name]) / _size(one[name]))
        for name in one
        if np.issubdtype(one[name].dtype, np.floating) and one[name].size
    )


def _size(array: np.ndarray) -> float:
    return float(max(np.linalg.norm(array), SMALLEST * np.sqrt(array.size)))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=50, help="updates of a run, 50")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--write", action="store_true", help="put the result into RESULTS.md")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    options.runs = 1
    Trainer(max_steps=1, accelerator="cpu", devices=max(REPLICAS), logger=False)  # logical CPUs
    rows, worst = [], 0.0
    cases = [Case(*f) for f in itertools.product(TASKS, OPTIMIZERS, CLIPPINGS, ACCUMULATIONS)]
    cases += [Case(task, optimizer, "norm", 1) for task in NOT_SMOOTH for optimizer in OPTIMIZERS]
    for case in cases:
        if options.only not in str(case):
            continue
        began = time.perf_counter()
        one = case.run(options.updates, 1)
        others = [case.run(options.updates, count) for count in REPLICAS]
        others.append(case.run(options.updates, 1, Reversed))
        differences = [[apart(a, b) for a, b in zip(one, other, strict=True)] for other in others]
        if case.task in TASKS:
            worst = max(worst, *(max(pair) for pair in differences[:-1]))
        rows.append([str(case), *(f"{value:.1e}" for pair in differences for value in pair)])
        print(*rows[-1], f"({time.perf_counter() - began:.0f} s)", sep="  ", flush=True)
    what = [f"{count} replicas" for count in REPLICAS] + ["reordered"]
    header = ["case", *(f"{name}, {of}" for name in what for of in ("weights", "metrics"))]
    target = measure.Target("largest difference over 1e-5", worst / TOLERANCE, at_most=1.0)
    text = f"After {options.updates} updates.\n\n{measure.table(header, rows)}"
    measure.report("replica_parity", text, [target], options)


if __name__ == "__main__":
    main()
