"""Keras layers that Keras lacks or has slow."""

from lightning_tf.layers.batch_normalization_swap import (
    BatchNormalizationSwap,
    fuse_batch_normalization,
)
from lightning_tf.layers.embedding_bag import EmbeddingBag
from lightning_tf.layers.fused_batch_normalization import FusedBatchNormalization
from lightning_tf.layers.gate_activations import gate_activations
from lightning_tf.layers.hub_layer import HubLayer
from lightning_tf.layers.nearest_upsampling import NearestUpsampling
from lightning_tf.layers.reflection_padding import ReflectionPadding
from lightning_tf.layers.roi_align import RoIAlign
from lightning_tf.layers.spectral_normalization import SpectralConv2D, SpectralDense

__all__ = [
    "BatchNormalizationSwap",
    "EmbeddingBag",
    "FusedBatchNormalization",
    "HubLayer",
    "NearestUpsampling",
    "ReflectionPadding",
    "RoIAlign",
    "SpectralConv2D",
    "SpectralDense",
    "fuse_batch_normalization",
    "gate_activations",
]
