"""Colours of a stylised picture: the style's, or the content's."""

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


def matched_colors(style: NDArray[np.float32], content: NDArray[np.float32]) -> NDArray[np.float32]:
    """The style picture with the mean and covariance of the content's colours.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016,
    https://arxiv.org/abs/1606.05897, section 3.1, with the symmetric square root of the covariance.

    Args:
        style: Float in [0, 1], shape (1, height, width, 3).
        content: The same, of any size.
    """
    given, wanted = style.reshape(-1, 3).astype(np.float64), content.reshape(-1, 3)
    spread = np.eye(3) * SMALLEST_VARIANCE
    own = _power(np.cov(given.T) + spread, -0.5)
    theirs = _power(np.cov(wanted.T.astype(np.float64)) + spread, 0.5)
    moved = (given - given.mean(0)) @ own @ theirs + wanted.mean(0)
    return np.clip(moved, 0.0, 1.0).reshape(style.shape).astype(np.float32)


def luminance(pictures: Any) -> Any:
    """Grey pictures of three equal channels; float, shape (..., 3)."""
    grey = tf.reduce_sum(tf.cast(pictures, tf.float32) * TO_YIQ[0], -1, keepdims=True)
    return tf.repeat(grey, 3, axis=-1)


def matched_luminance(
    style: NDArray[np.float32], content: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The style picture in grey, with mean and deviation of the content's luminance.

    Source: as of `matched_colors`, section 3.2.
    """
    ours, theirs = np.asarray(luminance(style)), np.asarray(luminance(content))
    scale = theirs.std() / max(float(ours.std()), SMALLEST_VARIANCE)
    moved: NDArray[np.float32] = (ours - ours.mean()) * scale + theirs.mean()
    return np.clip(moved, 0.0, 1.0).astype(np.float32)


def with_colors_of(content: Any, pictures: Any) -> tf.Tensor:
    """The luminance of some pictures with the hues of others; float in [0, 1], (..., 3)."""
    matrix = tf.constant(TO_YIQ)
    hues = tf.einsum("...c,dc->...d", tf.cast(content, tf.float32), matrix)[..., 1:]
    light = luminance(pictures)[..., :1]
    back = tf.constant(np.linalg.inv(TO_YIQ).astype(np.float32))
    mixed = tf.einsum("...c,dc->...d", tf.concat([light, hues], -1), back)
    return tf.clip_by_value(mixed, 0.0, 1.0)


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    powered: NDArray[np.float64] = (vectors * values**exponent) @ vectors.T
    return powered
