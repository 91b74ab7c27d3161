"""Paint an image in the style of another."""

from lightning_tf.tasks.style_transfer.style_transfer import StyleTransfer as StyleTransfer
