"""The losses of a generator and its discriminator, by name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from lightning_tf.checks import check_known


class AdversarialLoss(NamedTuple):
    """What two networks that work against each other minimise.

    All take the discriminator's outputs (logits, where `is_logit`), float32 of shape (batch, 1).

    Attributes:
        discriminator: From outputs for real and for fake images, and the target of the real ones,
            to the discriminator's scalar loss.
        generator: From outputs for fake images to the generator's scalar loss.
        has_targets: Whether real images have a target, which label smoothing can lower.
        is_logit: Whether an output is the logit of "this image is real".
        penalized: Whether the loss needs a gradient penalty.
    """

    discriminator: Callable[[Any, Any, float], tf.Tensor]
    generator: Callable[[Any], tf.Tensor]
    has_targets: bool = False
    is_logit: bool = False
    penalized: bool = False

    def score(self, outputs: Any) -> tf.Tensor:
        """Return the mean of D: of probabilities where outputs are logits, else of outputs."""
        return tf.reduce_mean(tf.sigmoid(outputs) if self.is_logit else outputs)


def _cross_entropy(outputs: Any, target: float) -> tf.Tensor:
    targets = tf.fill(tf.shape(outputs), target)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs))


LOSSES: dict[str, AdversarialLoss] = {
    # The generator's is the one that does not saturate: section 3 of the paper, below equation 1.
    "minimax": AdversarialLoss(
        lambda real, fake, target: _cross_entropy(real, target) + _cross_entropy(fake, 0.0),
        lambda fake: _cross_entropy(fake, 1.0),
        has_targets=True,
        is_logit=True,
    ),
    "lsgan": AdversarialLoss(
        lambda real, fake, target: (
            0.5 * (tf.reduce_mean((real - target) ** 2) + tf.reduce_mean(fake**2))
        ),
        lambda fake: 0.5 * tf.reduce_mean((fake - 1.0) ** 2),
        has_targets=True,
    ),
    "hinge": AdversarialLoss(
        lambda real, fake, target: (
            tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))
        ),
        lambda fake: -tf.reduce_mean(fake),
    ),
    "wgan-gp": AdversarialLoss(
        lambda real, fake, target: tf.reduce_mean(fake) - tf.reduce_mean(real),
        lambda fake: -tf.reduce_mean(fake),
        penalized=True,
    ),
}
"""Losses by name.

Sources: ``minimax`` Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; ``lsgan`` Mao et al.
2017, https://arxiv.org/abs/1611.04076, with a = 0 and b = c = 1; ``hinge`` Lim and Ye 2017,
https://arxiv.org/abs/1705.02894, and Miyato et al. 2018, https://arxiv.org/abs/1802.05957;
``wgan-gp`` Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028.
"""


def get_adversarial_loss(name: Any) -> AdversarialLoss:
    """Return the loss of a name.

    Raises:
        ConfigurationError: The name is unknown.

    Example:
        >>> get_adversarial_loss("hinge").has_targets
        False
    """
    check_known(f"loss={name!r} is unknown", name, LOSSES)
    return LOSSES[name]


def gradient_penalty(discriminate: Callable[[Any], Any], real: Any, fake: Any, alpha: Any) -> Any:
    """Measure how far the norm of a critic's gradient is from 1 between real and fake images.

    The mean of ``(norm - 1) ** 2`` over points on the lines between pairs of images (Gulrajani et
    al. 2017, equation 3).

    Args:
        discriminate: From images to outputs of shape (batch, 1); no image may have a part in
            another one's output, as it has with batch normalisation.
        real: Images, float32 of shape (batch, ...).
        fake: Generated images of the same shape.
        alpha: Where on each line, 0 at the real image, in [0, 1), shape (batch, 1).

    Returns:
        A float32 scalar.
    """
    alpha = tf.reshape(alpha, [-1, *[1] * (len(real.shape) - 1)])  # (batch, 1, 1, 1)
    between = real + alpha * (fake - real)

    with tf.GradientTape() as tape:
        tape.watch(between)
        # An image has no part in another's output, so the sum's gradient is each image's own.
        total = tf.reduce_sum(discriminate(between))
    gradient = tf.cast(tape.gradient(total, between), tf.float32)
    squares = tf.reduce_sum(gradient**2, axis=list(range(1, len(real.shape))))  # (batch,)

    # The root has no gradient at 0, where a critic of dead units is.
    return tf.reduce_mean((tf.sqrt(squares + 1e-12) - 1.0) ** 2)
