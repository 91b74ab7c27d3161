"""DatasetPair: tf.data.Datasets as a DataModule."""

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.exceptions import ConfigurationError, DataError


class DatasetPair(DataModule):
    """Batched `tf.data.Dataset` objects as they are.

    The order of an epoch is what `train` gives when it is read once more. For exact resuming let it
    be the same each time: shuffle with a seed and ``reshuffle_each_iteration=False``, or not at
    all; to get a new order in every epoch that can be resumed, subclass `DataModule`.

    Args:
        train: Batches to train on.
        val: Batches to validate on, or None.
        test: Batches to test on, or None.

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
        train: tf.data.Dataset,
        val: tf.data.Dataset | None = None,
        test: tf.data.Dataset | None = None,
    ) -> None:
        """Check and keep the datasets."""
        super().__init__()

        for name, dataset in (("train", train), ("val", val), ("test", test)):
            if dataset is None and name != "train":
                continue
            if not isinstance(dataset, tf.data.Dataset):
                raise ConfigurationError(
                    f"{name} is a {type(dataset).__name__}; give a batched tf.data.Dataset."
                )
            _require_batches(name, dataset)

        self._train, self._val, self._test = train, val, test

    def train_dataset(self, epoch: int) -> tf.data.Dataset:
        """Return `train`, whatever the epoch."""
        return self._train

    def val_dataset(self) -> tf.data.Dataset | None:
        """Return `val`."""
        return self._val

    def test_dataset(self) -> tf.data.Dataset | None:
        """Return `test`."""
        return self._test

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the inputs of `test`."""
        if self._test is None or not isinstance(self._test.element_spec, tuple):
            return self._test
        return self._test.map(lambda x, *labels: x)


def _require_batches(name: str, dataset: tf.data.Dataset) -> None:
    # Rank 0 is a single example; of an unknown rank nothing can be said.
    for spec in tf.nest.flatten(dataset.element_spec):
        if getattr(spec, "shape", tf.TensorShape(None)).rank == 0:
            raise DataError(
                f"The {name} dataset gives single examples ({dataset.element_spec}); "
                "batch it with dataset.batch(32)."
            )
