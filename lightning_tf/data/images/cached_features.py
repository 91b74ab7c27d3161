"""CachedFeatures: what a frozen network makes of each example, computed once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import ConfigurationError

CACHED = ("train", "val")


class CachedFeatures(IndexedData):
    """Training and validation batches of features; test and prediction batches of images.

    The features are computed when training batches are first asked for, in one pass over the
    training and validation images, and kept in memory: examples x features x 4 bytes. Batches hold
    the same examples in the same order as those of the images, so that training gives the same
    numbers as without a cache, at the price of the head alone.

    Attributes:
        splits: Those of the images.

    Args:
        images: Whose batches are ``(inputs, labels)``, read by index.
        extract: Returns features of shape (batch, features) for a batch's inputs.
        version: Returns a number, another one when `extract` would give other features.

    Raises:
        ConfigurationError: `images` cannot be read by index.

    Example:
        >>> means = lambda images: tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])
        >>> data = CachedFeatures(image_data("digits"), extract=means, version=lambda: 0)
        >>> [int(n) for n in next(iter(data.train_dataset(0)))[0].shape]
        [32, 1]
    """

    def __init__(
        self,
        images: DataModule,
        extract: Callable[[Any], tf.Tensor],
        version: Callable[[], int],
    ) -> None:
        if not isinstance(images, IndexedData):
            raise ConfigurationError(
                f"cache_features=True needs images that are read by index; a "
                f"{type(images).__name__} is not. Give a folder, arrays or a named set, or leave "
                "the cache out."
            )
        super().__init__(images.batch_size, images.seed, images.split_seed)
        images.is_read_once = True
        self.images, self._extract, self._version = images, extract, version
        self.sampling, self.shuffle = images.sampling, images.shuffle
        self.drop_remainder = images.drop_remainder
        self._features: dict[str, Split] = {}
        self._extracted_with: int | None = None
        self._in_use = False

    def prepare_data(self) -> None:
        """Prepare the images."""
        self.images.prepare_data()

    def setup(self, stage: str) -> None:
        """Load the images."""
        self.images.setup(stage)
        self.splits = self.images.splits

    def teardown(self, stage: str) -> None:
        """Tear down the images, and let weights be replaced between entry points."""
        self.images.teardown(stage)
        self._in_use = False

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the images."""
        return self.images.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give the images their state."""
        self.images.load_state_dict(state)

    def take_fold(self, fold: Fold) -> None:
        """Cut the images."""
        self.images.take_fold(fold)

    def join(self, workers: Workers) -> None:
        """Join the workers, and let the images do so."""
        super().join(workers)
        self.images.join(workers)

    def training_classes(self) -> NDArray[np.integer]:
        """Return those of the images."""
        return self.images.training_classes()

    def predict_dataset(self) -> tf.data.Dataset | None:
        """Return the images to predict."""
        return self.images.predict_dataset()

    def test_dataset(self) -> tf.data.Dataset | None:
        """Return the images to test with: they are needed once, so a cache would save nothing."""
        return self.images.test_dataset()

    def _split(self, name: str) -> Split | None:
        if name not in CACHED:
            return super()._split(name)
        self.setup("fit")

        # Asked at every dataset: a backbone may get other weights between two fits.
        version = self._version()
        if version != self._extracted_with:
            if self._in_use:
                raise ConfigurationError(
                    "the backbone's weights changed after its features were cached, as when a run "
                    "is resumed from a checkpoint with other weights; give the backbone the "
                    "weights that it had then, or pass cache_features=False."
                )
            splits = self.splits or {}
            self._features = {n: self._compute(splits[n]) for n in CACHED if n in splits}
            self._extracted_with = version

        self._in_use = True
        return self._features.get(name)

    def _compute(self, split: Split) -> Split:
        features, labels = [], []
        for inputs, targets in split.source.batches(split.indices, self.batch_size):
            features.append(np.asarray(self._extract(inputs)))
            labels.append(targets.numpy())

        # Renumbered from 0, which leaves the order of an epoch: it permutes places.
        source = ArraySource(np.concatenate(features), np.concatenate(labels))
        return Split(source, np.arange(len(split.indices), dtype=np.int64))
