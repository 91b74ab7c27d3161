"""Keras layers that Keras lacks or has slow."""

from lightning_tf.layers.fused_batch_normalization import (
    FusedBatchNormalization,
    fuse_batch_normalization,
)
from lightning_tf.layers.hub_layer import HubLayer
from lightning_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense

__all__ = [
    "FusedBatchNormalization",
    "HubLayer",
    "SpectralConv2D",
    "SpectralDense",
    "fuse_batch_normalization",
]
