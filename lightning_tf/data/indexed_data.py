"""IndexedData: a DataModule whose shuffling and resuming happen on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.order import Indices, epoch_order
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.workers import Workers


class Source(Protocol):
    """Examples that can be asked for by index."""

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Batches of these examples in this order; the last one may be smaller."""

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """The same batches without labels."""


@dataclass(frozen=True)
class Part:
    """Some examples of a source: a split."""

    source: Source
    indices: Indices


class IndexedData(DataModule):
    """Base of sources that can read any example by its index.

    A subclass fills in `load`. Training batches are drawn by permuting indices, so that the order
    of an epoch is a pure function of (seed, epoch) and a resumed run reads nothing twice.

    Attributes:
        parts: The examples of ``train``, ``val``, ``test`` and ``predict``, after `setup`; a part
            without examples is left out. Without ``predict``, prediction takes the test inputs.
        loads_together: Whether `load` exchanges with other workers what each has found.

    Args:
        batch_size: Examples in a global batch.
        seed: Decides the order of training examples; None follows the Trainer's seed.
        split_seed: Decides which examples are held out.
    """

    parts: dict[str, Part] | None = None
    loads_together: bool = False

    def __init__(self, batch_size: int = 32, seed: int | None = None, split_seed: int = 0) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed)
        self.split_seed = checked_integer("split_seed", split_seed, least=0)

    def load(self) -> dict[str, Part]:
        """Read the data and return its parts; called once."""
        raise NotImplementedError(f"{type(self).__name__} has no load; return its parts from it.")

    def setup(self, stage: str) -> None:
        """Load the data unless that is done."""
        if self.parts is None:
            self.parts = {name: part for name, part in self.load().items() if len(part.indices)}

    def join(self, workers: Workers) -> None:
        """As the base class's; what not all have loaded is loaded again, by all together."""
        super().join(workers)
        if self.loads_together and not workers.all_gather([self.parts is not None]).all():
            self.parts = None

    def train_dataset(self, epoch: int) -> tf.data.Dataset | None:
        """Training batches of one epoch, reshuffled by (seed, epoch)."""
        return self._train_batches(epoch, 0)

    def train_dataset_from(self, epoch: int, batch: int) -> tf.data.Dataset | None:
        """As the base class's; drops indices before any example is read."""
        return self._train_batches(epoch, batch)

    def val_dataset(self) -> tf.data.Dataset | None:
        """Validation batches."""
        return self._batches("val")

    def test_dataset(self) -> tf.data.Dataset | None:
        """Test batches."""
        return self._batches("test")

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Inputs to predict, in order and without labels: those given, or the test inputs."""
        part = self._part("predict") or self._part("test")
        return None if part is None else part.source.inputs(part.indices, self.batch_size)

    def dataset_for(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> tf.data.Dataset | None:
        """As the base class's; of a worker's shard no other examples are read."""
        if input_shard is None or not self._is_by_index(stage):
            return super().dataset_for(stage, epoch, batch, input_shard)
        part = self._part(stage)
        if stage == "predict":
            part = part or self._part("test")
        if part is None:
            return None
        indices = part.indices
        if stage == "train":
            indices = epoch_order(indices, self.order_seed, epoch)[batch * self.batch_size :]
        make = part.source.inputs if stage == "predict" else part.source.batches
        return input_shard.batches(make, indices, self.batch_size)

    def _is_by_index(self, stage: str) -> bool:
        """Whether the stage's dataset is the one of this class, and not a subclass's own."""
        names = [f"{stage}_dataset"] + ["train_dataset_from"] * (stage == "train")
        return all(
            getattr(type(self), name) is getattr(IndexedData, name) and name not in vars(self)
            for name in names
        )

    def _part(self, name: str) -> Part | None:
        self.setup("fit")
        return (self.parts or {}).get(name)

    def _batches(self, name: str) -> tf.data.Dataset | None:
        part = self._part(name)
        return None if part is None else part.source.batches(part.indices, self.batch_size)

    def _train_batches(self, epoch: int, batch: int) -> tf.data.Dataset | None:
        part = self._part("train")
        if part is None:
            return None
        order = epoch_order(part.indices, self.order_seed, epoch)
        return part.source.batches(order[batch * self.batch_size :], self.batch_size)
