"""StyleLosses: how far an image is from a content and from styles."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.tasks.common.reductions import reduce_mean
from lightning_tf.tasks.style_transfer.style_features import StyleFeatures

SMALLEST = 1e-8
Targets = dict[str, tf.Tensor]


class StyleLosses:
    """Content, style and total-variation losses, each a mean over the images of a batch.

    Content and style losses are relative, so that weights mean the same for every network, layer
    and size: the squared difference of the feature maps, or of their Gram matrices, divided by the
    square of the target. Gatys et al. divide by the number of values instead, so that layers of
    large values dominate.

    Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", 2016,
    https://openaccess.thecvf.com/content_cvpr_2016/html/Gatys_Image_Style_Transfer_CVPR_2016_paper.html;
    total variation: Johnson et al., 2016, https://arxiv.org/abs/1603.08155.

    Args:
        features: Of the loss network.
        content_layers: Names of layers whose maps hold the content.
        style_layers: The weight of each layer whose Gram matrix holds the style.
        styles: Images, float in [0, 1], shape (1, height, width, 3) each.
        style_weights: Of the images.

    Example:
        >>> losses = StyleLosses(features, ["block4_conv2"], {"block1_conv1": 1.0}, [style], [1.0])
        >>> losses(image, losses.content_targets(content))["style_loss"]
        <tf.Tensor: shape=(), dtype=float32, numpy=0.91>
    """

    def __init__(
        self,
        features: StyleFeatures,
        content_layers: Sequence[str],
        style_layers: Mapping[str, float],
        styles: Sequence[NDArray[np.float32]],
        style_weights: Sequence[float],
    ) -> None:
        self._features, self._content_layers = features, tuple(content_layers)
        total = sum(style_layers.values()) * sum(style_weights)

        # The styles never change: their Gram matrices are computed once.
        self._styles: list[tuple[str, float, tf.Tensor]] = []
        for style, weight in zip(styles, style_weights, strict=True):
            maps = features(tf.constant(style))
            self._styles += [
                (name, weight * share / total, gram(maps[name]))
                for name, share in style_layers.items()
            ]

    @property
    def layers(self) -> list[keras.Layer]:
        """The layers of the loss network, which never train."""
        return self._features.layers

    def content_targets(self, images: Any) -> Targets:
        """Return the feature maps that `__call__` compares with; images are float in [0, 1]."""
        maps = self._features(images)
        return {name: tf.stop_gradient(maps[name]) for name in self._content_layers}

    def __call__(self, images: Any, content: Targets) -> dict[str, tf.Tensor]:
        """Return ``content_loss``, ``style_loss`` and ``tv_loss``, scalars.

        Args:
            images: Float in [0, 1], shape (batch, height, width, 3).
            content: Of the same number of images, or of one.
        """
        maps = self._features(images)
        contents = [_relative(maps[name], content[name]) for name in self._content_layers]

        grams = {name: gram(maps[name]) for name, _, _ in self._styles}
        styles = [share * _relative(grams[name], target) for name, share, target in self._styles]

        return {
            "content_loss": tf.add_n(contents) / len(contents),
            "style_loss": tf.add_n(styles),
            "tv_loss": total_variation(images),
        }


def gram(maps: tf.Tensor) -> tf.Tensor:
    """Return products of feature maps, means over places: (batch, channels, channels).

    Args:
        maps: Shape (batch, height, width, channels).
    """
    shape = tf.shape(maps)
    places = tf.reshape(maps, [shape[0], shape[1] * shape[2], maps.shape[-1]])  # (b, places, c)
    count = tf.cast(shape[1] * shape[2], maps.dtype)
    return tf.matmul(places, places, transpose_a=True) / count


def total_variation(images: tf.Tensor) -> tf.Tensor:
    """Return the mean squared difference of neighbors, in both directions; images in [0, 1]."""
    images = tf.cast(images, tf.float32)
    down = images[:, 1:] - images[:, :-1]
    right = images[:, :, 1:] - images[:, :, :-1]
    return tf.reduce_mean(down**2) + tf.reduce_mean(right**2)


def _relative(values: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Return the squared error relative to the target's square, a mean over the batch."""
    axes = list(range(1, len(target.shape)))
    error = reduce_mean((values - target) ** 2, axes)  # (batch,)
    return tf.reduce_mean(error / (reduce_mean(target**2, axes) + SMALLEST))
