"""IndexedData: a DataModule whose shuffling and resuming happen on integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.data.pipeline.order import Indices, balanced_order, epoch_order
from lightning_tf.data.pipeline.splits import hold_out_splits
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import ConfigurationError, DataError

BALANCED = "balanced"


class Source(Protocol):
    """Examples that can be asked for by index."""

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these examples in this order; the last one may be smaller."""

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without labels."""


@dataclass(frozen=True)
class Split:
    """Some examples of a source: the training, validation, test or prediction split.

    Attributes:
        source: Reads batches by index.
        indices: Which of its examples, int64 of shape (examples,).

    Example:
        In `IndexedData.load`::

            rows = np.random.RandomState(self.split_seed).permutation(1000)
            return {"train": Split(source, rows[:800]), "val": Split(source, rows[800:])}
    """

    source: Source
    indices: Indices


class IndexedData(DataModule):
    """Base of sources that can read any example by its index.

    A subclass fills in `load`. Training batches are drawn by permuting indices, so that the order
    of an epoch is a pure function of (seed, epoch) and a resumed run reads nothing twice.

    Attributes:
        splits: The examples of ``train``, ``val``, ``test`` and ``predict``, after `setup`; a split
            without examples is left out. Without ``predict``, prediction takes the test inputs.
        class_labels: The class of every example by index, after `setup`; None where the data have
            none, or do not keep them.
        target_values: The targets of every example by index, after `setup`, where these are no
            classes; None where the data have none, or do not keep them.
        sampling: ``balanced`` draws each class equally often in an epoch, see `balanced_order`;
            None takes every training example once.
        shuffle: Whether training examples come in a new order in every epoch.
        drop_remainder: Whether an incomplete last training batch is left out.
        val_batch_size: Examples in a batch of validation; None is `batch_size`.
        fold: Which training examples validate, in a cross-validation; see `take_fold`.
        loads_together: Whether `load` exchanges with other workers what each has read.
        is_read_once: Whether a task keeps what it makes of the examples, so that these are not
            worth keeping in memory unasked.

    Args:
        batch_size: Examples in a global batch.
        seed: Decides the order of training examples; None follows the Trainer's seed.
        split_seed: Decides which examples are held out.
        val_fraction: Share of the training examples that `hold_out` holds out for validation, 0.1
            where None.
        test_fraction: The same for testing, 0 where None.
    """

    splits: dict[str, Split] | None = None
    class_labels: NDArray[Any] | None = None
    target_values: NDArray[Any] | None = None
    sampling: str | None = None
    shuffle: bool = True
    drop_remainder: bool = False
    val_batch_size: int | None = None
    loads_together: bool = False
    is_read_once: bool = False
    fold: Fold | None = None
    _is_cut: bool = False  # whether `load` has gone by the fold

    def __init__(
        self,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed)
        self.split_seed = checked_integer("split_seed", split_seed, least=0)
        self._val_fraction, self._test_fraction = val_fraction, test_fraction

    def load(self) -> dict[str, Split]:
        """Read the data and return its splits; called once."""
        raise NotImplementedError(f"{type(self).__name__} has no load; return its splits from it.")

    def hold_out(
        self,
        source: Source,
        rows: Mapping[str, Indices],
        labels: NDArray[Any] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> dict[str, Split]:
        """Return the splits of a source, those that it lacks held out of its training rows.

        Args:
            source: The examples of all splits.
            rows: Indices of ``train`` and of the splits that the data bring themselves.
            labels: The class of every example, by index: every split then has the classes in the
                same proportion.
            class_names: For messages; the numbers where None.

        Raises:
            ConfigurationError: A fraction is out of range, or of a split that the data bring.
            DataError: A class has one example, and something is to be held out.
        """
        self.class_labels = labels
        splits = self.split_rows(rows, labels, class_names)
        return {name: Split(source, indices) for name, indices in splits.items()}

    def split_rows(
        self,
        rows: Mapping[str, Indices],
        labels: NDArray[Any] | None = None,
        class_names: Sequence[str] | None = None,
        groups: Sequence[Any] | None = None,
    ) -> dict[str, Indices]:
        """Return the indices of the splits, as `hold_out` does; validation is the fold's, if any.

        Args:
            rows: As of `hold_out`.
            labels: As of `hold_out`.
            class_names: As of `hold_out`.
            groups: The group of every example, by index, where the fold names a column.
        """
        if self.fold is None:
            return hold_out_splits(
                rows, labels, self._val_fraction, self._test_fraction, self.split_seed, class_names
            )
        if "val" in rows:
            raise ConfigurationError(
                f"a fold takes the place of validation, and {type(self).__name__} has a val split "
                "of its own: give all examples as training data."
            )

        # What tests is held out as ever; the fold cuts the rest.
        splits = hold_out_splits(
            {**rows, "val": rows["train"][:0]},
            labels,
            None,
            self._test_fraction,
            self.split_seed,
            class_names,
        )
        self._is_cut, pool = True, splits["train"]
        together = None
        if self.fold.groups is not None:
            together = self._groups_of(rows["train"], groups)[np.isin(rows["train"], pool)]
        train, val = self.fold.cut(len(pool), None if labels is None else labels[pool], together)
        return {**splits, "train": pool[train], "val": pool[val]}

    def _groups_of(self, train: Indices, groups: Sequence[Any] | None) -> NDArray[Any]:
        """Return the group of each training example, in their order."""
        fold = self.fold
        if groups is not None:
            return np.asarray(groups)[train]
        if fold is None or fold.column is not None:
            raise ConfigurationError(
                f"groups={fold and fold.column!r} names a column, and {type(self).__name__} has "
                "none: give the group of each training example."
            )
        if len(fold.groups) != len(train):
            raise DataError(
                f"groups has {len(fold.groups)} entries for {len(train)} training examples; give "
                "one each."
            )
        return np.asarray(fold.groups)

    def take_fold(self, fold: Fold) -> None:
        """Validate on a fold of the training examples, which are loaded after this."""
        if self.splits is not None:
            raise ConfigurationError(
                f"{type(self).__name__} is loaded already, and a fold is taken before that: make "
                "the task and its data anew for every fold."
            )
        self.fold = fold

    def setup(self, stage: str) -> None:
        """Load the data unless that is done."""
        # Once for all stages: the splits of a run must not depend on what it is asked for first.
        if self.splits is None:
            self.splits = {n: split for n, split in self.load().items() if len(split.indices)}
            if self.fold is not None and not self._is_cut:
                raise ConfigurationError(
                    f"{type(self).__name__} has splits of its own making and cannot be cut into "
                    "folds; override take_fold."
                )

    def join(self, workers: Workers) -> None:
        """Join the workers; what not all have loaded is loaded again, by all together."""
        super().join(workers)

        # `load` calls collectives: if one worker had loaded before, the others would wait for it.
        if self.loads_together and not workers.all_gather([self.splits is not None]).all():
            self.splits = None

    def train_dataset(self, epoch: int) -> tf.data.Dataset | None:
        """Return the training batches of one epoch, reshuffled by (seed, epoch)."""
        return self._dataset("train", epoch)

    def train_dataset_from(self, epoch: int, batch: int) -> tf.data.Dataset | None:
        """Return the rest of an epoch; indices are dropped before any example is read."""
        return self._dataset("train", epoch, batch)

    def val_dataset(self) -> tf.data.Dataset | None:
        """Return the validation batches."""
        return self._dataset("val")

    def test_dataset(self) -> tf.data.Dataset | None:
        """Return the test batches."""
        return self._dataset("test")

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the inputs to predict, in order and without labels: else the test inputs."""
        return self._dataset("predict")

    def dataset_for(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> tf.data.Dataset | None:
        """Return the dataset of a stage; of a worker's shard no other examples are read."""
        if input_shard is None or not self._is_by_index(stage):
            return super().dataset_for(stage, epoch, batch, input_shard)
        return self._dataset(stage, epoch, batch, input_shard)

    def _is_by_index(self, stage: str) -> bool:
        """Return whether the stage's dataset method is that of this class, not a subclass's."""
        names = [f"{stage}_dataset"] + ["train_dataset_from"] * (stage == "train")
        return all(
            getattr(type(self), name) is getattr(IndexedData, name) and name not in vars(self)
            for name in names
        )

    def epoch_indices(self, indices: Indices, epoch: int) -> Indices:
        """Return what is read of the training split in one epoch, in its order.

        Args:
            indices: Of all training examples, or other numbers for them in the same order.
            epoch: The epoch.

        Raises:
            ConfigurationError: Batches are to be whole, and there are fewer examples than one has.
        """
        if self.sampling == BALANCED:
            indices = indices[balanced_order(self.training_classes(), self.order_seed, epoch)]
        elif self.shuffle:
            indices = epoch_order(indices, self.order_seed, epoch)
        if not self.drop_remainder:
            return indices
        if len(indices) < self.batch_size:
            raise ConfigurationError(
                f"drop_remainder=True leaves no batch of {self.batch_size}: there are "
                f"{len(indices)} training examples; give a smaller batch_size."
            )
        return indices[: len(indices) // self.batch_size * self.batch_size]

    def training_classes(self) -> NDArray[np.integer]:
        """Return the class of each training example, in the order of the training split.

        Raises:
            ConfigurationError: The data have no classes, or do not keep them.
        """
        if self.class_labels is None or self.splits is None:
            raise ConfigurationError(
                f"sampling='balanced' needs the class of every example, which "
                f"{type(self).__name__} does not keep: pass in_memory=True where it is a set on "
                "the disk, or class_weight='balanced' instead."
            )
        classes: NDArray[np.integer] = self.class_labels[self.splits["train"].indices]
        return classes

    def _split(self, name: str) -> Split | None:
        self.setup("fit")
        return (self.splits or {}).get(name)

    def _dataset(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> tf.data.Dataset | None:
        """Return the batches of a stage, or a worker's shard of each."""
        split = self._split(stage)
        if stage == "predict":
            split = split or self._split("test")
        if split is None:
            return None

        indices = split.indices
        if stage == "train":
            # The whole order first, then its rest: a resumed epoch goes on where it stopped.
            indices = self.epoch_indices(indices, epoch)[batch * self.batch_size :]
        make = split.source.inputs if stage == "predict" else split.source.batches
        size = (stage == "val" and self.val_batch_size) or self.batch_size
        if input_shard is None:
            return make(indices, size)
        return input_shard.batches(make, indices, size)
