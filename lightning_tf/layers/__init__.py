"""Keras layers that Keras lacks or has slow."""

from lightning_tf.layers.fused_batch_normalization import (
    FusedBatchNormalization,
    fuse_batch_normalization,
)
from lightning_tf.layers.hub_layer import HubLayer

__all__ = ["FusedBatchNormalization", "HubLayer", "fuse_batch_normalization"]
