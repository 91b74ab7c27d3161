"""Classify images with a pretrained backbone."""

from lightning_tf.tasks.transfer_learning.transfer_learning import (
    TransferLearning as TransferLearning,
)
