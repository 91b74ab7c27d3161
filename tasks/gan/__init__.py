"""Generate images with adversarial networks."""

from lightning_tf.tasks.gan.gan import GAN as GAN
