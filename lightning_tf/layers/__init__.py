"""Keras layers that Keras lacks or has slow."""

from lightning_tf.layers.fused_batch_normalization import (
    FusedBatchNormalization,
    fuse_batch_normalization,
)
from lightning_tf.layers.hub_layer import HubLayer
from lightning_tf.layers.reflection_padding import ReflectionPadding

__all__ = [
    "FusedBatchNormalization",
    "HubLayer",
    "ReflectionPadding",
    "fuse_batch_normalization",
]
