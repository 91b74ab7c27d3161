"""GAN: images like those of the data, made of random numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_integer
from lightning_tf.data.images.latent_predictions import LatentPredictions
from lightning_tf.data.images.unlabeled_images import (
    UnlabeledImages,
    generation_data,
    generation_spec,
)
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.gan.generator_ema import GeneratorEMA, copied
from lightning_tf.tasks.gan.generator_task import GeneratorTask
from lightning_tf.tasks.gan.image_features import ImageFeatures
from lightning_tf.tasks.gan.losses import adversarial_loss, gradient_penalty
from lightning_tf.tasks.gan.networks import AdversarialNetworks, AdversarialSizes
from lightning_tf.tasks.gan.noise import next_seed, own_rows
from lightning_tf.tasks.gan.optimizers import adversarial_optimizers
from lightning_tf.tasks.gan.sample_grid import SampleGrid
from lightning_tf.tasks.gan.sample_quality import FEWEST, SampleQuality

VALIDATION_SEED = (0, 1)


class GAN(GeneratorTask):
    """Learns to make images like those of the data.

    Two networks work against each other: the generator makes images of random numbers (latent
    vectors), the discriminator, or critic, tells them from real ones. A batch is ``(images,
    labels)``, images of shape (batch, height, width, channels) in the data's own range, which
    become float32 in [-1, 1]; labels are used by ``conditional=True`` alone. A step updates the
    discriminator `n_critic` times on the batch, each time against other generated images, then
    the generator once. Everything that is drawn belongs to an example's place in the global batch,
    so that replicas do not change it.

    Logged: ``generator_loss``, ``discriminator_loss``, ``real_score`` and ``fake_score`` (D(x) and
    D(G(z)): mean probability of being real with minimax, mean output of the critic with the
    others), ``gradient_penalty`` with wgan-gp; the same with ``val_``, without the penalty. With
    `quality`: ``fid``, ``kid``, ``fid_floor``, ``kid_floor``, ``classes_covered``, see
    `SampleQuality`. Images: see `SampleGrid`.

    Args:
        data: What `image_data` takes: a name, a folder, arrays, datasets or a DataModule.
        loss: ``minimax``, ``lsgan``, ``hinge`` or ``wgan-gp``; see `LOSSES`.
        conditional: Whether both networks get the class, so that it can be asked for.
        latent_dim: Random numbers that an image is made of.
        networks: ``dcgan``, ``mlp``, or a pair of Keras models: a generator from (batch,
            latent_dim) to images in [-1, 1], a discriminator from these to (batch, 1) without an
            activation. With `conditional` each takes a list whose second part is classes, int32 of
            shape (batch,).
        n_critic: Updates of the discriminator in a step; None is 5 with wgan-gp and 1 otherwise.
        ema: Decay of the average of the generator's weights that samples are made with; 0 for none.
        spectral_normalization: Of the discriminator, for named networks.
        label_smoothing: How far below 1 the target of real images is, with minimax and lsgan
            (Salimans et al. 2016, section 3.4, https://arxiv.org/abs/1606.03498).
        penalty_weight: Of the gradient penalty with wgan-gp.
        width: Filters or units of the narrowest hidden layers of named networks; None is 32 for
            dcgan and 128 for mlp.
        dropout: Of a named discriminator; None is 0.3, or 0 with wgan-gp.
        optimizer: Of both networks, see `build_optimizer`; None is adam with ``beta_1=0.5``, or as
            in Gulrajani et al. with ``beta_1=0, beta_2=0.9``. Not an optimizer object: there are
            two.
        learning_rate: Of both, or a pair (generator, discriminator); None is 2e-4, or the default
            of the optimizer that is named.
        batch_size: Images in a global batch; None is the data's own, 32.
        data_dir: Where the files of a named data set are.
        image_size: Height and width that encoded images are resized to.
        data_options: Further options of `image_data`.
        quality: What gives features of images: an `ImageClassification`, the path of its
            checkpoint, a Keras classifier of images in [-1, 1] or the path of its file; None
            measures no quality.
        quality_samples: Generated images that are measured, or as many as half of the real ones.
        quality_every_n_epochs: How often.
        num_samples: Images of a grid, and of `Trainer.predict`.
        sample_every_n_epochs: How often a grid is logged.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, options contradict each
            other, or the networks do not fit the data.

    Example:
        >>> task = GAN("digits", networks="mlp")
        >>> Trainer(max_epochs=50, seed=0).fit(task)
        >>> task.sample(16).shape
        (16, 8, 8, 1)
    """

    def __init__(
        self,
        data: Any = "digits",
        loss: str = "minimax",
        *,
        conditional: bool = False,
        latent_dim: int = 64,
        networks: Any = "dcgan",
        n_critic: int | None = None,
        ema: float = 0.999,
        spectral_normalization: bool = False,
        label_smoothing: float = 0.0,
        penalty_weight: float = 10.0,
        width: int | None = None,
        dropout: float | None = None,
        optimizer: Any = None,
        learning_rate: float | Sequence[float] | None = None,
        batch_size: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        data_options: Mapping[str, Any] | None = None,
        quality: Any = None,
        quality_samples: int = 2000,
        quality_every_n_epochs: int = 1,
        num_samples: int = 64,
        sample_every_n_epochs: int = 1,
    ) -> None:
        self.adversarial_loss = adversarial_loss(loss)
        penalised = self.adversarial_loss.penalised
        if not isinstance(penalty_weight, (int, float)) or not penalty_weight > 0.0:
            raise ConfigurationError(f"penalty_weight={penalty_weight!r} must be positive.")
        self.conditional, self.penalty_weight = conditional, float(penalty_weight)
        usual = 5 if penalised else 1
        self.n_critic = checked_integer("n_critic", usual if n_critic is None else n_critic, 1)
        self.latent_dim = checked_integer("latent_dim", latent_dim, least=1)
        self.ema = _share("ema", ema)
        self.label_smoothing = _share("label_smoothing", label_smoothing)
        if label_smoothing and not self.adversarial_loss.has_targets:
            raise ConfigurationError(
                f"label_smoothing={label_smoothing} lowers the target of real images, which "
                f"loss={loss!r} does not have; use minimax or lsgan."
            )
        self.networks = AdversarialNetworks(
            networks,
            width=None if width is None else checked_integer("width", width, least=1),
            dropout=None if dropout is None else _share("dropout", dropout),
            spectral=spectral_normalization,
            penalised=penalised,
        )
        self.optimizer_settings = adversarial_optimizers(optimizer, learning_rate, penalised)
        self.grid = SampleGrid(
            checked_integer("num_samples", num_samples, least=1),
            checked_integer("sample_every_n_epochs", sample_every_n_epochs, least=1),
        )
        self.quality = None
        if quality is not None:
            self.quality = SampleQuality(
                ImageFeatures(quality),
                checked_integer("quality_samples", quality_samples, least=FEWEST),
                checked_integer("quality_every_n_epochs", quality_every_n_epochs, least=1),
            )
        images = generation_data(
            data,
            batch_size=batch_size,
            data_dir=data_dir,
            image_size=image_size,
            **(data_options or {}),
        )
        self.data = LatentPredictions(images, num_samples, latent_dim, conditional)

    # ---- models

    def configure_model(self) -> None:
        """Build `generator`, `discriminator` and, with `ema`, `averaged_generator`."""
        facts = generation_spec(self.data.images)
        self.value_range, self.image_shape = facts.value_range, facts.input_shape
        self.num_classes, self.class_names = None, facts.class_names
        if self.conditional:
            if isinstance(self.data.images, UnlabeledImages):
                raise ConfigurationError(
                    "conditional=True needs a class for each image, but data is an array of "
                    "images alone; give a pair (images, labels)."
                )
            self.num_classes = facts.num_classes
        sizes = AdversarialSizes(facts.input_shape, self.latent_dim, self.num_classes)
        self.generator, self.discriminator = self.networks.build(sizes)
        if self.ema:
            self.averaged_generator = copied(self.generator)
        # Made here: seed generators take their seed from the Trainer's.
        self.noise = keras.random.SeedGenerator()

    def configure_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """Make the two optimizers, named generator and discriminator."""
        if self.n_critic > 1 and self.trainer.accumulates:
            raise ConfigurationError(
                f"n_critic={self.n_critic} updates the discriminator {self.n_critic} times in a "
                "batch, which accumulate_grad_batches would add up to one; use a larger "
                "batch_size, or n_critic=1."
            )
        updates = self.trainer.estimated_stepping_batches
        return {
            name: settings.build(updates * (1 if name == "generator" else self.n_critic), model)
            for name, settings, model in (
                ("generator", self.optimizer_settings[0], self.generator),
                ("discriminator", self.optimizer_settings[1], self.discriminator),
            )
        }

    def callbacks(self) -> list[Callback]:
        """Bring the grid of samples, the average and, where asked for, the quality."""
        average = [GeneratorEMA(self.ema)] if self.ema else []
        return [*average, self.grid, *([] if self.quality is None else [self.quality])]

    @property
    def sampler(self) -> keras.Model:
        """The generator that samples are made with: the average, where there is one."""
        return self.averaged_generator if self.ema else self.generator

    # ---- steps

    def training_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Update the discriminator `n_critic` times, then return the generator's loss."""
        real, labels = self._taken(batch)
        made = self._generated(self.generator, self._latents(real), labels, training=True)
        for turn in range(self.n_critic):
            self.minimize(
                "discriminator",
                partial(self._discriminator_loss, real, labels, None if turn else made),
            )
        # The same images, before the discriminator as it is by now.
        return {"generator": self.adversarial_loss.generator(self._judged(made, labels))}

    def validation_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Return both losses on other images, without penalty; every batch has the same noise."""
        real, labels = self._taken(batch)
        draw = partial(tf.random.stateless_normal, seed=VALIDATION_SEED)
        latents = own_rows(draw, self.latent_dim, tf.shape(real)[0])
        made = self._generated(self.generator, latents, labels, training=False)
        on_real, on_made = (self._judged(x, labels, training=False) for x in (real, made))
        self._log_scores(on_real, on_made)
        return {
            "generator": self.adversarial_loss.generator(on_made),
            "discriminator": self.adversarial_loss.discriminator(on_real, on_made, 1.0),
        }

    def _discriminator_loss(self, real: Any, labels: Any, made: Any) -> tf.Tensor:
        if made is None:
            made = self._generated(self.generator, self._latents(real), labels, training=True)
        made = tf.stop_gradient(made)
        on_real, on_made = self._judged(real, labels), self._judged(made, labels)
        self._log_scores(on_real, on_made)
        target = 1.0 - self.label_smoothing
        loss = self.adversarial_loss.discriminator(on_real, on_made, target)
        if not self.adversarial_loss.penalised:
            return loss
        draw = partial(tf.random.stateless_uniform, seed=next_seed(self.noise))
        at = own_rows(draw, 1, tf.shape(real)[0])
        penalty = gradient_penalty(partial(self._judged, labels=labels), real, made, at)
        self.log("gradient_penalty", penalty)
        return loss + self.penalty_weight * penalty

    def _log_scores(self, on_real: tf.Tensor, on_made: tf.Tensor) -> None:
        self.log("real_score", self.adversarial_loss.score(on_real), prog_bar=True)
        self.log("fake_score", self.adversarial_loss.score(on_made), prog_bar=True)

    def _taken(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Real images in [-1, 1], and their classes where these are used."""
        low, high = self.value_range
        real = (tf.cast(batch[0], tf.float32) - low) * (2.0 / (high - low)) - 1.0
        if not self.conditional:
            return real, None
        return real, tf.cast(tf.reshape(batch[1], [-1]), tf.int32)

    def _latents(self, real: tf.Tensor) -> tf.Tensor:
        draw = partial(tf.random.stateless_normal, seed=next_seed(self.noise))
        return own_rows(draw, self.latent_dim, tf.shape(real)[0])

    def _generated(self, generator: Any, latents: Any, labels: Any, training: bool) -> tf.Tensor:
        given = latents if labels is None else [latents, labels]
        return tf.cast(generator(given, training=training), tf.float32)

    def _judged(self, images: Any, labels: Any, training: bool = True) -> tf.Tensor:
        given = images if labels is None else [images, labels]
        return tf.cast(self.discriminator(given, training=training), tf.float32)


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise ConfigurationError(f"{name}={value!r} must be a number in [0, 1).")
    return float(value)
