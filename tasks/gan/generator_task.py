"""GeneratorTask: what a task with a generator of images can be asked for."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.images.latent_predictions import (
    LatentPredictions,
    classes_in_turn,
    latent_vectors,
)
from lightning_tf.data.labels import checked_labels
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.common.constructed_data import ConstructedData

SAMPLES_AT_ONCE = 256


class GeneratorTask(ConstructedData):
    """A task whose `sampler` makes images in [-1, 1] of latent vectors, or vectors and classes.

    Attributes:
        data: The images, and the latent vectors of `Trainer.predict`.
        latent_dim: Numbers of a latent vector.
        num_classes: How many classes the sampler knows; None where it gets none.
        class_names: Their names.
        value_range: Lowest and highest value of the data's pixels.
        image_shape: Height, width and channels.
    """

    input_kind = None
    data: LatentPredictions
    latent_dim: int
    num_classes: int | None
    class_names: list[str]
    value_range: tuple[float, float]
    image_shape: tuple[int, int, int]

    @property
    def sampler(self) -> keras.Model:
        """The generator of samples."""
        raise NotImplementedError(f"{type(self).__name__} has no sampler; return its generator.")

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return images in the data's range of latent vectors, or of pairs (vectors, classes)."""
        inputs = list(batch) if isinstance(batch, (tuple, list)) else batch
        images = tf.cast(self.sampler(inputs, training=False), tf.float32)
        low, high = self.value_range
        return low + (images + 1.0) * ((high - low) / 2.0)

    def new_examples(self, data: Any) -> NewExamples:
        """Refuse data to label.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            f"{type(self).__name__}.predict: a generator labels nothing; call sample(n) for images."
        )

    def sample(
        self, n: int, labels: Sequence[int] | int | None = None, seed: int = 0
    ) -> NDArray[np.float32]:
        """Generate images.

        Args:
            n: How many.
            labels: With `conditional`, the class of each, or of all; None takes the classes one
                after the other.
            seed: Of the latent vectors; the same seed gives the same images.

        Returns:
            Float32 of shape (n, height, width, channels), in the range of the data.

        Raises:
            ConfigurationError: There is no model yet, or the labels are not what they must be.
        """
        n = checked_integer("n", n, least=1)
        latents = latent_vectors(n, self.latent_dim, seed)
        return self._generate_in_chunks(latents, self._classes(n, labels))

    def interpolate(
        self, pairs: int, steps: int = 8, labels: Sequence[int] | int | None = None, seed: int = 0
    ) -> NDArray[np.float32]:
        """Generate images along paths from one latent vector to another; see `latent_paths`.

        Args:
            pairs: How many paths.
            steps: Images of each.
            labels: As in `sample`, of each path.
            seed: Of the latent vectors at the ends.

        Returns:
            Float32 of shape (pairs, steps, height, width, channels), in the range of the data.
        """
        ends = latent_vectors(2 * pairs, self.latent_dim, seed)  # starts and ends take turns
        paths = latent_paths(ends[::2], ends[1::2], checked_integer("steps", steps, least=2))
        latents = paths.reshape(-1, self.latent_dim).astype(np.float32)  # (pairs * steps, ...)

        classes = self._classes(pairs, labels)
        classes = None if classes is None else classes.repeat(steps)
        images = self._generate_in_chunks(latents, classes)
        return images.reshape(pairs, steps, *self.image_shape)

    def to_display_range(self, images: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return images in [0, 1] for loggers, from the range of the data."""
        low, high = self.value_range
        clipped: NDArray[np.floating] = np.clip((images - low) / (high - low), 0.0, 1.0)
        return clipped

    def normalize(self, images: NDArray[Any]) -> NDArray[np.floating]:
        """Return images in [-1, 1], from the range of the data."""
        low, high = self.value_range
        return (images.astype(np.float32) - low) * (2.0 / (high - low)) - 1.0

    def sample_captions(self, count: int) -> list[str] | None:
        """Return the names of the classes that `sample` generates; None without classes."""
        classes = self._classes(count, None)
        return None if classes is None else [self.class_names[label] for label in classes]

    def exported_model(self) -> keras.Model:
        """Return the sampler, from latent vectors to images in the range of the data."""
        low, high = self.value_range
        scale = keras.layers.Rescaling((high - low) / 2.0, (high + low) / 2.0, dtype="float32")
        latent = keras.Input((self.latent_dim,), name="latent")
        inputs: Any = latent
        if self.num_classes is not None:
            inputs = [latent, keras.Input((), dtype="int32", name="classes")]
        return keras.Model(inputs, scale(self.sampler(inputs)), name="generator")

    def _classes(self, n: int, labels: Any) -> NDArray[np.int32] | None:
        """Return a class for each of n images; None where the generator takes none."""
        if self.num_classes is None:
            if labels is not None:
                raise ConfigurationError(
                    f"labels={labels!r}: this GAN does not know classes; make it with "
                    "conditional=True."
                )
            return None

        if labels is None:
            return classes_in_turn(n, self.num_classes)
        classes = checked_labels("given", np.atleast_1d(labels), self.num_classes)
        if len(classes) not in (1, n):
            raise ConfigurationError(f"{len(classes)} labels for {n} images; give one for each.")
        return np.broadcast_to(classes, (n,)).astype(np.int32)

    def _generate_in_chunks(
        self, latents: NDArray[Any], classes: NDArray[Any] | None
    ) -> NDArray[np.float32]:
        chunks = []  # bounds the memory of hidden maps, whatever n is
        for start in range(0, len(latents), SAMPLES_AT_ONCE):
            rows = slice(start, start + SAMPLES_AT_ONCE)
            inputs: Any = tf.constant(latents[rows])
            if classes is not None:
                inputs = (inputs, tf.constant(classes[rows]))
            chunks.append(self.predict_step(inputs))
        return np.concatenate([np.asarray(chunk, np.float32) for chunk in chunks])


def latent_paths(
    starts: NDArray[np.floating], ends: NDArray[np.floating], steps: int
) -> NDArray[np.floating]:
    """Return points from each start to its end, in equal steps along the sphere.

    On a straight line between two normal vectors the middle is shorter than any vector that the
    generator was trained with. Source: White, "Sampling Generative Networks", 2016,
    https://arxiv.org/abs/1609.04468.

    Args:
        starts: Shape (n, latent_dim).
        ends: The same shape.
        steps: Points on a path, both ends among them.

    Returns:
        Shape (n, steps, latent_dim).

    Example:
        >>> latent_paths(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 3).round(3).tolist()
        [[[1.0, 0.0], [0.707, 0.707], [0.0, 1.0]]]
    """
    lengths = [np.linalg.norm(vectors, axis=1) for vectors in (starts, ends)]
    cosines = (starts * ends).sum(axis=1) / (lengths[0] * lengths[1])
    angles = np.arccos(np.clip(cosines, -1.0, 1.0))[:, None, None]  # (n, 1, 1)
    alpha = np.linspace(0.0, 1.0, steps)[None, :, None]  # (1, steps, 1)

    # Nearly parallel vectors: the straight line is the same, and the formula divides by 0.
    straight = np.sin(angles) < 1e-6
    sine = np.where(straight, 1.0, np.sin(angles))
    first = np.where(straight, 1.0 - alpha, np.sin((1.0 - alpha) * angles) / sine)
    second = np.where(straight, alpha, np.sin(alpha * angles) / sine)
    paths: NDArray[np.floating] = first * starts[:, None] + second * ends[:, None]
    return paths
