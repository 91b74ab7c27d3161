"""Keras layers that Keras lacks or has slow."""

from lightning_tf.layers.fused_batch_normalization import (
    FusedBatchNormalization,
    fuse_batch_normalization,
)

__all__ = ["FusedBatchNormalization", "fuse_batch_normalization"]
