"""DatasetPair: tf.data.Datasets, or batches that Python makes, as a DataModule."""

from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.python_batches import PythonBatches
from lightning_tf.data.sources.stream_batches import StreamBatches, is_stream
from lightning_tf.exceptions import DataError


class DatasetPair(DataModule):
    """Batched `tf.data.Dataset` objects as they are; what `PythonBatches` and `StreamBatches` take.

    The order of an epoch is what `train` gives when it is read once more. For exact resuming let it
    be the same each time: shuffle with a seed and ``reshuffle_each_iteration=False``, or not at
    all; to get a new order in every epoch that can be resumed, subclass `DataModule`.

    Args:
        train: Batches to train on, or None.
        val: Batches to validate on, or None.
        test: Batches to test on, or None.
        shuffle: Whether a PyDataset or a list gives its training batches in another order in every
            epoch.

    Raises:
        ConfigurationError: An argument is no dataset.
        DataError: A dataset is not batched.

    Example:
        >>> batches = tf.data.Dataset.range(10).batch(4)
        >>> len(DatasetPair(batches).train_dataset(epoch=0))
        3
    """

    def __init__(
        self,
        train: Any = None,
        val: Any = None,
        test: Any = None,
        *,
        shuffle: bool = True,
    ) -> None:
        """Check and keep the datasets."""
        super().__init__()
        self._train: Any = train
        if is_stream(train):
            self._train = StreamBatches(train, "train")
        elif train is not None and not isinstance(train, tf.data.Dataset):
            self._train = PythonBatches(train, shuffle=shuffle, name="train")
        self._val, self._test = (
            part if part is None or isinstance(part, tf.data.Dataset) else batches_of(name, part)
            for name, part in (("val", val), ("test", test))
        )

        for name, part in (("train", self._train), ("val", self._val), ("test", self._test)):
            if part is not None:
                require_batches(name, part.element_spec)

    @property
    def is_stream(self) -> bool:
        """Whether `train` knows its position."""
        return isinstance(self._train, StreamBatches)

    def reads_before(self, epoch: int, batch: int) -> bool:
        """Return whether `train` can only be read from its beginning."""
        if isinstance(self._train, PythonBatches):
            return not self._train.is_by_index
        is_known = isinstance(self._train, StreamBatches) and self._train.length is not None
        return not is_known and self.positions.at(epoch, batch) is None

    def train_dataset(self, epoch: int) -> tf.data.Dataset | None:
        """Return `train`; batches that Python makes in the order of the epoch."""
        return self.train_dataset_from(epoch, 0)

    def train_dataset_from(self, epoch: int, batch: int) -> tf.data.Dataset | None:
        """Return the rest of an epoch; a PyDataset or a list reads no batch before."""
        dataset = self._training(epoch, batch)
        return None if dataset is None else self._checked("train", dataset)

    def val_dataset(self) -> tf.data.Dataset | None:
        """Return `val`."""
        return None if self._val is None else self._checked("val", self._val)

    def test_dataset(self) -> tf.data.Dataset | None:
        """Return `test`."""
        return None if self._test is None else self._checked("test", self._test)

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the inputs of `test`."""
        if self._test is None or not isinstance(self._test.element_spec, tuple):
            return self._test
        return self._test.map(lambda x, *labels: x)

    def _training(self, epoch: int = 0, batch: int = 0) -> tf.data.Dataset | None:
        """Return training batches as they are, from number `batch` of an epoch on."""
        if isinstance(self._train, StreamBatches):
            state, noting = self.positions.at(epoch, batch), self.positions.noting(epoch)
            return self._train.dataset(epoch, batch, state, noting)
        if isinstance(self._train, PythonBatches):
            return self._train.dataset(self.order_seed, epoch, batch)
        return self._train.skip(batch) if batch and self._train is not None else self._train

    def _checked(self, stage: str, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return batches that are checked when they are read; a subclass adds what it knows."""
        return dataset


def batches_of(stage: str, data: Any) -> tf.data.Dataset:
    """Return batches that Python makes, for another stage than training, in their order.

    Raises:
        ConfigurationError: The data give no batches.
    """
    if is_stream(data):
        return StreamBatches(data, stage).dataset(epoch=0)
    return PythonBatches(data, shuffle=False, name=stage).dataset(seed=0, epoch=0)


def require_batches(name: str, element_spec: Any) -> None:
    """Refuse a dataset of single examples.

    Raises:
        DataError: It is one.
    """
    # Rank 0 is a single example; of an unknown rank nothing can be said.
    for spec in tf.nest.flatten(element_spec):
        if getattr(spec, "shape", tf.TensorShape(None)).rank == 0:
            raise DataError(
                f"The {name} dataset gives single examples ({element_spec}); "
                "batch it with dataset.batch(32)."
            )
