"""A generator and a discriminator that fit the data and each other."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.keras_internals import flat_layers
from lightning_tf.tasks.common.built_classifier import refuse_layer_options
from lightning_tf.tasks.gan.dcgan import dcgan_discriminator, dcgan_generator
from lightning_tf.tasks.gan.mlp import mlp_discriminator, mlp_generator

NETWORKS: dict[str, tuple[Any, Any, int]] = {
    "dcgan": (dcgan_generator, dcgan_discriminator, 32),
    "mlp": (mlp_generator, mlp_discriminator, 128),
}
"""The named generators and discriminators, and their default width."""

DEFAULT_DROPOUT = 0.3


class AdversarialSizes(NamedTuple):
    """What both networks are built to.

    Attributes:
        images: Height, width and channels.
        latent_dim: Numbers that the generator makes an image of.
        num_classes: Where both get a class too, how many there are; else None.
    """

    images: tuple[int, int, int]
    latent_dim: int
    num_classes: int | None = None


class AdversarialNetworks:
    """Two networks that are still to be built to their data.

    Args:
        networks: ``dcgan``, ``mlp`` or a pair of Keras models (generator, discriminator).
        width: Filters or units of the narrowest hidden layer; None is that of `NETWORKS`.
        dropout: Of the discriminator.
        spectral: Whether the discriminator is spectrally normalised.
        penalized: Whether every image's gradient must be its own.

    Raises:
        ConfigurationError: A name is unknown, or a pair that brings its own layers is given the
            other options.

    Example:
        >>> generator, _ = AdversarialNetworks("mlp").build(AdversarialSizes((8, 8, 1), 64))
        >>> generator.output_shape
        (None, 8, 8, 1)
    """

    def __init__(
        self,
        networks: Any,
        *,
        width: int | None = None,
        dropout: float | None = None,
        spectral: bool = False,
        penalized: bool = False,
    ) -> None:
        self.networks, self.spectral, self.penalized = networks, spectral, penalized
        if isinstance(networks, str):
            check_known(f"networks={networks!r}", networks, NETWORKS)
            self.width = NETWORKS[networks][-1] if width is None else width
            default_dropout = 0.0 if penalized or spectral else DEFAULT_DROPOUT
            self.dropout = default_dropout if dropout is None else dropout
            return

        is_pair = isinstance(networks, (tuple, list)) and len(networks) == 2
        if not is_pair or not all(isinstance(network, keras.Model) for network in networks):
            raise ConfigurationError(
                f"networks={networks!r}; give {' or '.join(map(repr, NETWORKS))}, or a pair of "
                "Keras models (generator, discriminator)."
            )

        options = {"width": width, "dropout": dropout, "spectral_normalization": spectral or None}
        remedy = "the given ones bring their own layers: set it there."
        refuse_layer_options(options, dict.fromkeys(options), remedy)

    def build(self, sizes: AdversarialSizes) -> tuple[keras.Model, keras.Model]:
        """Make generator and discriminator, or take those that were given, and try them.

        Raises:
            ConfigurationError: They do not fit the data or the loss.
        """
        if isinstance(self.networks, str):
            return self._build_named(self.networks, sizes)

        generator, discriminator = self.networks
        if self.penalized:
            refuse_batch_statistics(discriminator)
        check_fit(generator, discriminator, sizes)
        return generator, discriminator

    def _build_named(self, name: str, sizes: AdversarialSizes) -> tuple[keras.Model, keras.Model]:
        """Build one of the named pairs.

        Where there are classes, the generator gets an embedding of the class beside the latent
        vector, and the discriminator one as a further channel of the image (Mirza and Osindero,
        "Conditional Generative Adversarial Nets", 2014, https://arxiv.org/abs/1411.1784).

        Args:
            name: ``dcgan`` or ``mlp``.
            sizes: Of images, latent vectors and classes.

        Returns:
            The generator, from latent vectors, or [vectors, classes], to images in (-1, 1); the
            discriminator, from images, or [images, classes], to (batch, 1).
        """
        latent = keras.Input((sizes.latent_dim,), name="latent")
        images = keras.Input(sizes.images, name="images")
        generator_inputs: Any = latent
        discriminator_inputs: Any = images
        conditioned_latent, conditioned_images = latent, images

        if sizes.num_classes is not None:
            classes = [keras.Input((), dtype="int32", name="classes") for _ in range(2)]
            generator_inputs, discriminator_inputs = [latent, classes[0]], [images, classes[1]]
            # Each network has an embedding of its own: they must not train each other.
            embedded = keras.layers.Embedding(sizes.num_classes, sizes.num_classes)(classes[0])
            conditioned_latent = keras.layers.Concatenate()([latent, embedded])

            height, breadth, _ = sizes.images
            channel = keras.layers.Embedding(sizes.num_classes, height * breadth)(classes[1])
            channel = keras.layers.Reshape((height, breadth, 1))(channel)  # beside the image's own
            conditioned_images = keras.layers.Concatenate()([images, channel])

        generate, discriminate, _ = NETWORKS[name]
        fake = generate(conditioned_latent, sizes.images, self.width)
        logits = discriminate(conditioned_images, self.width, self.dropout, self.spectral)
        return (
            keras.Model(generator_inputs, fake, name="generator"),
            keras.Model(discriminator_inputs, logits, name="discriminator"),
        )


def check_fit(generator: keras.Model, discriminator: keras.Model, sizes: AdversarialSizes) -> None:
    """Run both once on zeros, which builds them, and compare what they give with the data.

    Raises:
        ConfigurationError: One cannot take its inputs or gives another shape.
    """
    # Two examples: with one, an output without the batch's axis could pass.
    classes = [] if sizes.num_classes is None else [tf.zeros([2], tf.int32)]
    for role, network, first, expected in (
        ("generator", generator, (sizes.latent_dim,), sizes.images),
        ("discriminator", discriminator, sizes.images, (1,)),
    ):
        inputs = [tf.zeros([2, *first]), *classes]
        shapes = " and ".join(str((None, *part.shape[1:])) for part in inputs)
        try:
            outputs = network(inputs if classes else inputs[0], training=False)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ConfigurationError(
                f"the {role} {network.name!r} cannot take inputs of shape {shapes}: {error}"
            ) from error

        shape = tuple(getattr(outputs, "shape", ()))[1:]
        if shape != tuple(expected):
            raise ConfigurationError(
                f"the {role} {network.name!r} makes outputs of shape {(None, *shape)} from inputs "
                f"of shape {shapes}; they must be {(None, *expected)}"
                + (", the data's images." if role == "generator" else ", a number each.")
            )


def refuse_batch_statistics(discriminator: keras.Model) -> None:
    """Refuse batch normalisation where every image's gradient must be its own.

    Raises:
        ConfigurationError: There is such a layer; names it.
    """
    for layer in flat_layers(discriminator):
        if isinstance(layer, keras.layers.BatchNormalization):
            raise ConfigurationError(
                f"loss='wgan-gp' penalises the critic's gradient for each image, but layer "
                f"{layer.name!r} of {discriminator.name!r} mixes the images of a batch; use "
                "keras.layers.LayerNormalization or none (Gulrajani et al. 2017, section 4)."
            )
