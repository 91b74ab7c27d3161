"""GAN: images like those of the data, made of random numbers."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_fraction, checked_integer, is_number
from lightning_tf.data.images.latent_predictions import LatentPredictions
from lightning_tf.data.images.unlabeled_images import generation_data, generation_spec
from lightning_tf.data.sources.options import merged_options
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.gan.generator_ema import GeneratorEMA, copy_generator
from lightning_tf.tasks.gan.generator_task import GeneratorTask
from lightning_tf.tasks.gan.image_features import ImageFeatures
from lightning_tf.tasks.gan.losses import get_adversarial_loss, gradient_penalty
from lightning_tf.tasks.gan.networks import AdversarialNetworks, AdversarialSizes
from lightning_tf.tasks.gan.noise import draw_replica_rows, next_seed
from lightning_tf.tasks.gan.optimizers import adversarial_optimizers
from lightning_tf.tasks.gan.sample_grid import SampleGrid
from lightning_tf.tasks.gan.sample_quality import FEWEST, SampleQuality

VALIDATION_SEED = (0, 1)


class GAN(GeneratorTask):
    """Learns to make images like those of the data.

    Two networks work against each other: the generator makes fake images of random numbers (latent
    vectors), the discriminator, or critic, tells them from real ones. A batch is ``(images,
    labels)``, images of shape (batch, height, width, channels) in the data's own range, which
    become float32 in [-1, 1]; labels are used by ``conditional=True`` alone. A step updates the
    discriminator `n_critic` times on the batch, each time against other fake images, then the
    generator once. Everything that is drawn belongs to an example's place in the global batch,
    so that replicas do not change it.

    Logged: ``generator_loss``, ``discriminator_loss``, ``real_score`` and ``fake_score`` (D(x) and
    D(G(z)): mean probability of being real with minimax, mean output of the critic with the
    others), ``gradient_penalty`` with wgan-gp; the same with ``val_``, without the penalty. With
    `quality`: ``fid``, ``kid``, ``fid_floor``, ``kid_floor``, ``classes_covered``, see
    `SampleQuality`. Images: see `SampleGrid`.

    Args:
        data: What `image_data` takes: a name, a folder, arrays, datasets or a DataModule; or images
            without classes, see `generation_data`.
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
        self.adversarial_loss = get_adversarial_loss(loss)
        penalized = self.adversarial_loss.penalized
        if not is_number(penalty_weight) or not penalty_weight > 0.0:
            raise ConfigurationError(f"penalty_weight is {penalty_weight!r}; give a number > 0.")
        self.conditional, self.penalty_weight = conditional, float(penalty_weight)

        default_n_critic = 5 if penalized else 1
        n_critic = default_n_critic if n_critic is None else n_critic
        self.n_critic = checked_integer("n_critic", n_critic, least=1)
        self.latent_dim = checked_integer("latent_dim", latent_dim, least=1)
        self.ema = checked_fraction("ema", ema)

        self.label_smoothing = checked_fraction("label_smoothing", label_smoothing)
        if label_smoothing and not self.adversarial_loss.has_targets:
            raise ConfigurationError(
                f"label_smoothing={label_smoothing} lowers the target of real images, which "
                f"loss={loss!r} does not have; use minimax or lsgan."
            )

        self.networks = AdversarialNetworks(
            networks,
            width=None if width is None else checked_integer("width", width, least=1),
            dropout=None if dropout is None else checked_fraction("dropout", dropout),
            spectral=spectral_normalization,
            penalized=penalized,
        )
        self.optimizer_settings = adversarial_optimizers(optimizer, learning_rate, penalized)

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
            **merged_options(
                data_options, batch_size=batch_size, data_dir=data_dir, image_size=image_size
            ),
        )
        # Trains on images and predicts from latent vectors.
        self.data = LatentPredictions(images, num_samples, latent_dim, conditional)

    # ---- models

    def configure_model(self) -> None:
        """Build `generator`, `discriminator` and, with `ema`, `averaged_generator`."""
        spec = generation_spec(self.data.images)
        self.value_range, self.image_shape = spec.value_range, spec.input_shape
        self.num_classes, self.class_names = None, spec.class_names
        if self.conditional:
            if spec.num_classes < 2:
                raise ConfigurationError(
                    "conditional=True needs a class for each image, but data are images of one "
                    "class, or alone; give a pair (images, labels)."
                )
            self.num_classes = spec.num_classes

        sizes = AdversarialSizes(spec.input_shape, self.latent_dim, self.num_classes)
        self.generator, self.discriminator = self.networks.build(sizes)
        if self.ema:
            self.averaged_generator = copy_generator(self.generator)
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

        updates = self.trainer.estimated_stepping_batches  # of the generator
        generator, discriminator = self.optimizer_settings
        return {
            "generator": generator.build(updates, self.generator),
            "discriminator": discriminator.build(updates * self.n_critic, self.discriminator),
        }

    def callbacks(self) -> list[Callback]:
        """Bring the grid of samples, the average and, where asked for, the quality."""
        average = [GeneratorEMA(self.ema)] if self.ema else []
        return [*average, self.grid, *([] if self.quality is None else [self.quality])]

    @property
    def sampler(self) -> keras.Model:
        """The generator of samples: the average, where there is one."""
        return self.averaged_generator if self.ema else self.generator

    # ---- steps

    def training_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Update the discriminator `n_critic` times, then return the generator's loss."""
        real, labels = self._real_images(batch)  # (batch, height, width, channels), (batch,)
        fake = self._generate(self._draw_latents(real), labels, training=True)

        for critic_step in range(self.n_critic):
            # Later steps generate images of their own; the first shares the generator's.
            step_fake = None if critic_step else fake
            self.minimize(
                "discriminator", partial(self._discriminator_loss, real, labels, step_fake)
            )

        # The same fake images, for the discriminator as it is after its updates.
        fake_logits = self._discriminate(fake, labels)
        return {"generator": self.adversarial_loss.generator(fake_logits)}

    def validation_step(self, batch: Any) -> dict[str, tf.Tensor]:
        """Return both losses on other images, without penalty; every batch has the same noise."""
        real, labels = self._real_images(batch)
        draw = partial(tf.random.stateless_normal, seed=VALIDATION_SEED)
        latents = draw_replica_rows(draw, self.latent_dim, tf.shape(real)[0])
        fake = self._generate(latents, labels, training=False)

        real_logits = self._discriminate(real, labels, training=False)  # (batch, 1)
        fake_logits = self._discriminate(fake, labels, training=False)
        self._log_scores(real_logits, fake_logits)
        return {
            "generator": self.adversarial_loss.generator(fake_logits),
            "discriminator": self.adversarial_loss.discriminator(real_logits, fake_logits, 1.0),
        }

    def _discriminator_loss(self, real: Any, labels: Any, fake: Any) -> tf.Tensor:
        """Return the discriminator's loss; without `fake` images, against newly generated ones."""
        if fake is None:
            fake = self._generate(self._draw_latents(real), labels, training=True)
        fake = tf.stop_gradient(fake)  # (batch, height, width, channels)
        real_logits = self._discriminate(real, labels)  # (batch, 1)
        fake_logits = self._discriminate(fake, labels)
        self._log_scores(real_logits, fake_logits)

        target = 1.0 - self.label_smoothing
        loss = self.adversarial_loss.discriminator(real_logits, fake_logits, target)
        if not self.adversarial_loss.penalized:
            return loss

        draw = partial(tf.random.stateless_uniform, seed=next_seed(self.noise))
        alpha = draw_replica_rows(draw, 1, tf.shape(real)[0])  # (batch, 1)
        penalty = gradient_penalty(partial(self._discriminate, labels=labels), real, fake, alpha)
        self.log("gradient_penalty", penalty)
        return loss + self.penalty_weight * penalty

    def _log_scores(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> None:
        self.log("real_score", self.adversarial_loss.score(real_logits), prog_bar=True)
        self.log("fake_score", self.adversarial_loss.score(fake_logits), prog_bar=True)

    def _real_images(self, batch: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return real images in [-1, 1], and their classes where these are used."""
        low, high = self.value_range
        real = (tf.cast(batch[0], tf.float32) - low) * (2.0 / (high - low)) - 1.0
        if not self.conditional:
            return real, None
        return real, tf.cast(tf.reshape(batch[1], [-1]), tf.int32)

    def _draw_latents(self, real: tf.Tensor) -> tf.Tensor:
        draw = partial(tf.random.stateless_normal, seed=next_seed(self.noise))
        return draw_replica_rows(draw, self.latent_dim, tf.shape(real)[0])  # (batch, latent_dim)

    def _generate(self, latents: Any, labels: Any, training: bool) -> tf.Tensor:
        inputs = latents if labels is None else [latents, labels]
        return tf.cast(self.generator(inputs, training=training), tf.float32)

    def _discriminate(self, images: Any, labels: Any, training: bool = True) -> tf.Tensor:
        inputs = images if labels is None else [images, labels]
        return tf.cast(self.discriminator(inputs, training=training), tf.float32)
