"""Colours of a stylised image: the style's, or the content's."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

COLORS = ("style", "histogram", "luminance")
TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32
)
SMALLEST_VARIANCE = 1e-5


def matched_colors(style: Any, contents: Any) -> tf.Tensor:
    """The style image with the mean and covariance of each content's colours.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016,
    https://arxiv.org/abs/1606.05897, section 3.1, with the symmetric square root of the covariance.

    Args:
        style: Float in [0, 1], shape (1, height, width, 3).
        contents: Float in [0, 1], shape (batch, height, width, 3), of any size.

    Returns:
        float32 in [0, 1], shape (batch, height of the style, width of the style, 3).
    """
    ours, mean, covariance = _colour_statistics(style)
    _, wanted_mean, wanted_covariance = _colour_statistics(contents)
    turned = _power(covariance, -0.5) @ _power(wanted_covariance, 0.5)
    moved = tf.clip_by_value((ours - mean) @ turned + wanted_mean, 0.0, 1.0)
    return tf.reshape(moved, [-1, *tf.convert_to_tensor(style).shape[1:]])


def luminance(images: Any) -> Any:
    """Grey images of three equal channels; float, shape (..., 3)."""
    grey = tf.reduce_sum(tf.cast(images, tf.float32) * TO_YIQ[0], -1, keepdims=True)
    return tf.repeat(grey, 3, axis=-1)


def matched_luminance(
    style: NDArray[np.float32], content: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The style image in grey, with mean and deviation of the content's luminance.

    Source: as of `matched_colors`, section 3.2.
    """
    ours, theirs = np.asarray(luminance(style)), np.asarray(luminance(content))
    scale = theirs.std() / max(float(ours.std()), SMALLEST_VARIANCE)
    moved: NDArray[np.float32] = (ours - ours.mean()) * scale + theirs.mean()
    return np.clip(moved, 0.0, 1.0).astype(np.float32)


def with_colors_of(content: Any, images: Any) -> tf.Tensor:
    """The luminance of some images with the hues of others; float in [0, 1], (..., 3)."""
    matrix = tf.constant(TO_YIQ)
    hues = tf.einsum("...c,dc->...d", tf.cast(content, tf.float32), matrix)[..., 1:]
    light = luminance(images)[..., :1]
    back = tf.constant(np.linalg.inv(TO_YIQ).astype(np.float32))
    mixed = tf.einsum("...c,dc->...d", tf.concat([light, hues], -1), back)
    return tf.clip_by_value(mixed, 0.0, 1.0)


def _colour_statistics(images: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Colours (batch, places, 3), their means (batch, 1, 3) and covariances (batch, 3, 3)."""
    images = tf.cast(images, tf.float32)
    colours = tf.reshape(images, [tf.shape(images)[0], -1, 3])
    mean = tf.reduce_mean(colours, 1, keepdims=True)
    count = tf.cast(tf.shape(colours)[1], tf.float32)
    spread = tf.matmul(colours - mean, colours - mean, transpose_a=True) / count
    return colours, mean, spread + SMALLEST_VARIANCE * tf.eye(3)


def _power(matrices: tf.Tensor, exponent: float) -> tf.Tensor:
    values, vectors = tf.linalg.eigh(matrices)
    powers = tf.maximum(values, SMALLEST_VARIANCE) ** exponent
    return tf.matmul(vectors * powers[..., tf.newaxis, :], vectors, transpose_b=True)
