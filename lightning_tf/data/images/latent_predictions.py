"""LatentPredictions: images to train on, latent vectors to predict from."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.unlabeled_images import generation_spec
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.workers import Workers


class LatentPredictions(DataModule):
    """The batches of another DataModule; predictions are made from normal random numbers.

    Attributes:
        images: The other DataModule.

    Args:
        images: See the attribute.
        count: How many vectors prediction gets.
        latent_dim: Numbers of each.
        conditional: Whether every vector comes with a class of the images', one after the other.

    Example:
        >>> from lightning_tf.data.images.small_sets import Digits
        >>> data = LatentPredictions(Digits(), count=64, latent_dim=16)
        >>> [tuple(batch.shape) for batch in data.predict_dataset()]
        [(32, 16), (32, 16)]
    """

    def __init__(
        self, images: DataModule, count: int, latent_dim: int, conditional: bool = False
    ) -> None:
        """Keep the arguments; batch size and seed are those of the images."""
        self.images, self.count, self.latent_dim = images, count, latent_dim
        self.conditional = conditional

    @property
    def batch_size(self) -> int:
        """Return that of the images."""
        return self.images.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self.images.batch_size = size

    @property
    def seed(self) -> int | None:
        """Return that of the images."""
        return self.images.seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self.images.seed = seed

    def prepare_data(self) -> None:
        """Let the images be downloaded."""
        self.images.prepare_data()

    def setup(self, stage: str) -> None:
        """Let the images be loaded."""
        self.images.setup(stage)

    def teardown(self, stage: str) -> None:
        """Release what the images took."""
        self.images.teardown(stage)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the images."""
        return self.images.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give the images their state."""
        self.images.load_state_dict(state)

    def join(self, workers: Workers) -> None:
        """Join the workers, and let the images do so."""
        super().join(workers)
        self.images.join(workers)

    def predict_dataset(self) -> tf.data.Dataset:
        """Return batches of latent vectors, or of pairs (vectors, classes)."""
        vectors = latent_vectors(self.count, self.latent_dim, self.order_seed)
        inputs: Any = vectors  # (count, latent_dim)
        if self.conditional:
            # Only here, for prediction may come before any model is made.
            classes = generation_spec(self.images).num_classes
            inputs = (vectors, classes_in_turn(self.count, classes))
        return tf.data.Dataset.from_tensor_slices(inputs).batch(self.batch_size)

    def dataset_for(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> tf.data.Dataset | None:
        """Return the dataset of a stage: that of the images, but for prediction."""
        self.images.trainer_seed = self.trainer_seed
        if stage == "predict":
            return super().dataset_for(stage, epoch, batch, input_shard)
        return self.images.dataset_for(stage, epoch, batch, input_shard)


def latent_vectors(count: int, latent_dim: int, seed: int) -> NDArray[np.float32]:
    """Draw standard normal numbers of shape (count, latent_dim), the same for the same seed.

    Example:
        >>> latent_vectors(2, 3, seed=0).shape
        (2, 3)
    """
    drawn = np.random.default_rng(seed).standard_normal((count, latent_dim))
    return drawn.astype(np.float32)


def classes_in_turn(count: int, num_classes: int) -> NDArray[np.int32]:
    """Return 0, 1, ..., 0, 1, ...: every class as often as the others, or once more.

    Example:
        >>> classes_in_turn(5, 3).tolist()
        [0, 1, 2, 0, 1]
    """
    return (np.arange(count) % num_classes).astype(np.int32)
