"""GeneratorTask: images out of what a generator has learnt."""

from __future__ import annotations

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
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.task import Task

SAMPLES_AT_ONCE = 256


class GeneratorTask(Task):
    """A task whose `sampler` makes images in [-1, 1] of latent vectors, or vectors and classes.

    Attributes:
        data: The images, and the latent vectors of `Trainer.predict`.
        latent_dim: Numbers of a latent vector.
        num_classes: How many classes the sampler knows; None where it gets none.
        class_names: Their names.
        value_range: Lowest and highest value of the data's pixels.
        image_shape: Height, width and channels.
    """

    data: LatentPredictions
    latent_dim: int
    num_classes: int | None
    class_names: list[str]
    value_range: tuple[float, float]
    image_shape: tuple[int, int, int]

    @property
    def sampler(self) -> keras.Model:
        """The model that samples are made with."""
        raise NotImplementedError(f"{type(self).__name__} has no sampler; return its generator.")

    def predict_step(self, batch: Any) -> tf.Tensor:
        """Return images in the data's range of latent vectors, or of pairs (vectors, classes)."""
        given = list(batch) if isinstance(batch, (tuple, list)) else batch
        made = tf.cast(self.sampler(given, training=False), tf.float32)
        low, high = self.value_range
        return low + (made + 1.0) * ((high - low) / 2.0)

    def sample(
        self, n: int, labels: Sequence[int] | int | None = None, seed: int = 0
    ) -> NDArray[np.float32]:
        """Make images.

        Args:
            n: How many.
            labels: With `conditional`, the class of each, or of all; None is one after the other.
            seed: Decides them.

        Returns:
            Float32 of shape (n, height, width, channels), in the range of the data.

        Raises:
            ConfigurationError: There is no model yet, or the labels are not what they must be.
        """
        n = checked_integer("n", n, least=1)
        return self._made(latent_vectors(n, self.latent_dim, seed), self._classes(n, labels))

    def interpolate(
        self, pairs: int, steps: int = 8, labels: Sequence[int] | int | None = None, seed: int = 0
    ) -> NDArray[np.float32]:
        """Make images on the way from one latent vector to another; see `latent_paths`.

        Args:
            pairs: How many ways.
            steps: Images of each.
            labels: As in `sample`, of each way.
            seed: Decides the ends.

        Returns:
            Float32 of shape (pairs, steps, height, width, channels), in the range of the data.
        """
        ends = latent_vectors(2 * pairs, self.latent_dim, seed)
        paths = latent_paths(ends[::2], ends[1::2], checked_integer("steps", steps, least=2))
        classes = self._classes(pairs, labels)
        each = None if classes is None else classes.repeat(steps)
        made = self._made(paths.reshape(-1, self.latent_dim).astype(np.float32), each)
        return made.reshape(pairs, steps, *self.image_shape)

    def shown(self, images: NDArray[np.floating]) -> NDArray[np.floating]:
        """Images in [0, 1] for loggers, from the range of the data."""
        low, high = self.value_range
        shown: NDArray[np.floating] = np.clip((images - low) / (high - low), 0.0, 1.0)
        return shown

    def normalised(self, images: NDArray[Any]) -> NDArray[np.floating]:
        """Images in [-1, 1], from the range of the data."""
        low, high = self.value_range
        return (images.astype(np.float32) - low) * (2.0 / (high - low)) - 1.0

    def sample_captions(self, count: int) -> list[str] | None:
        """The names of the classes that `sample` makes, where it can be told."""
        classes = self._classes(count, None)
        return None if classes is None else [self.class_names[label] for label in classes]

    def exported_model(self) -> keras.Model:
        """The sampler, from latent vectors to images in the range of the data."""
        low, high = self.value_range
        scale = keras.layers.Rescaling((high - low) / 2.0, (high + low) / 2.0, dtype="float32")
        latent = keras.Input((self.latent_dim,), name="latent")
        inputs: Any = latent
        if self.num_classes is not None:
            inputs = [latent, keras.Input((), dtype="int32", name="classes")]
        return keras.Model(inputs, scale(self.sampler(inputs)), name="generator")

    def _classes(self, n: int, labels: Any) -> NDArray[np.int32] | None:
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

    def _made(self, latents: NDArray[Any], classes: NDArray[Any] | None) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(latents), SAMPLES_AT_ONCE):
            rows = slice(start, start + SAMPLES_AT_ONCE)
            given: Any = tf.constant(latents[rows])
            if classes is not None:
                given = (given, tf.constant(classes[rows]))
            parts.append(self.predict_step(given))
        return np.concatenate([np.asarray(part, np.float32) for part in parts])


def latent_paths(
    starts: NDArray[np.floating], ends: NDArray[np.floating], steps: int
) -> NDArray[np.floating]:
    """Go from each start to its end in equal steps along the sphere.

    On a straight line between two normal vectors the middle is shorter than any that a generator
    was trained with. Source: White, "Sampling Generative Networks", 2016,
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
    lengths = [np.linalg.norm(ends_or_starts, axis=1) for ends_or_starts in (starts, ends)]
    cosines = (starts * ends).sum(axis=1) / (lengths[0] * lengths[1])
    angles = np.arccos(np.clip(cosines, -1.0, 1.0))[:, None, None]
    at = np.linspace(0.0, 1.0, steps)[None, :, None]
    # Nearly parallel vectors: the straight line is the same, and the formula divides by 0.
    straight = np.sin(angles) < 1e-6
    sine = np.where(straight, 1.0, np.sin(angles))
    first = np.where(straight, 1.0 - at, np.sin((1.0 - at) * angles) / sine)
    second = np.where(straight, at, np.sin(at * angles) / sine)
    paths: NDArray[np.floating] = first * starts[:, None] + second * ends[:, None]
    return paths
