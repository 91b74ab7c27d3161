"""TextDatasets: tf.data.Datasets of labeled texts."""

from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from lightning_tf.data.pipeline.batch_checks import check_labels, whole_labels
from lightning_tf.data.sources.dataset_pair import DatasetPair
from lightning_tf.data.text.text_spec import text_spec


class TextDatasets(DatasetPair):
    """Batched datasets of texts, strings of shape (batch,), and labels, (batch,).

    Where neither `num_classes` nor `class_names` is known, `setup` reads the training labels once,
    up to a bound where the data have no end. Labels are checked in every batch, in the pipeline.

    Attributes:
        num_classes: Labels are 0 to ``num_classes - 1``, after `setup`.
        class_names: A name for each label, after `setup`.

    Args:
        train: Batches to train on. Labels are integers, also as whole floats (batch, 1) or one-hot,
            as `keras.utils.text_dataset_from_directory` gives them; its ``class_names`` are taken.
        val: Batches to validate on, or None.
        test: Batches to test on, or None.
        num_classes: Number of classes, if known.
        class_names: Their names, if known.

    Raises:
        ConfigurationError: An argument is no dataset.
        DataError: A batch is not what it must be; raised by `setup`, or when it is read.

    Example:
        >>> pairs = tf.data.Dataset.from_tensor_slices((["good", "dull"], [1, 0])).batch(2)
        >>> data = TextDatasets(pairs, class_names=["-", "+"])
        >>> data.setup("fit")
        >>> data.num_classes
        2
    """

    num_classes: int
    class_names: list[str]

    def __init__(
        self,
        train: tf.data.Dataset,
        val: tf.data.Dataset | None = None,
        test: tf.data.Dataset | None = None,
        *,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Check and keep the datasets."""
        super().__init__(train, val, test)
        names = getattr(train, "class_names", None) if class_names is None else class_names
        self._names = None if names is None else [str(name) for name in names]
        self._num_classes = num_classes
        self._val, self._test = (
            None if dataset is None else _with_integers(dataset)
            for dataset in (self._val, self._test)
        )

    def setup(self, stage: str) -> None:
        """Check the first batch and fill in the attributes, unless that is done."""
        if not hasattr(self, "num_classes"):
            spec = text_spec(self, self._names, self._num_classes)
            self.num_classes, self.class_names = spec.num_classes, spec.class_names

    def _training(self, epoch: int = 0, batch: int = 0) -> tf.data.Dataset:
        return _with_integers(super()._training(epoch, batch))

    def _checked(self, stage: str, dataset: tf.data.Dataset) -> tf.data.Dataset:
        if not hasattr(self, "num_classes"):
            return dataset
        return dataset.map(partial(check_labels, stage, self.num_classes))


def _with_integers(dataset: tf.data.Dataset) -> tf.data.Dataset:
    spec = dataset.element_spec
    is_pair = isinstance(spec, tuple) and len(spec) > 1 and isinstance(spec[1], tf.TensorSpec)
    return dataset.map(whole_labels) if is_pair and spec[1].dtype.is_floating else dataset
