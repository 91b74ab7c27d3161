"""Colors of a stylized image: the style's, or the content's."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

COLORS = ("style", "histogram", "luminance")
TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32
)
SMALLEST_VARIANCE = 1e-5


def match_colors(style: Any, contents: Any) -> tf.Tensor:
    """Return the style image with the mean and covariance of each content's colors.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016,
    https://arxiv.org/abs/1606.05897, section 3.1, with the symmetric square root of the covariance.

    Args:
        style: Float in [0, 1], shape (1, height, width, 3).
        contents: Float in [0, 1], shape (batch, height, width, 3), of any size.

    Returns:
        float32 in [0, 1], shape (batch, height of the style, width of the style, 3).
    """
    colors, mean, covariance = _color_statistics(style)
    _, target_mean, target_covariance = _color_statistics(contents)
    # Whiten the style's colors, then give them the spread of the contents'.
    transform = _power(covariance, -0.5) @ _power(target_covariance, 0.5)  # (batch, 3, 3)
    matched = tf.clip_by_value((colors - mean) @ transform + target_mean, 0.0, 1.0)
    return tf.reshape(matched, [-1, *tf.convert_to_tensor(style).shape[1:]])


def luminance(images: Any) -> Any:
    """Return grey images of three equal channels; float, shape (..., 3)."""
    gray = tf.reduce_sum(tf.cast(images, tf.float32) * TO_YIQ[0], -1, keepdims=True)  # (..., 1)
    return tf.repeat(gray, 3, axis=-1)


def match_luminance(
    style: NDArray[np.float32], content: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the style image in grey, with mean and deviation of the content's luminance.

    Source: as of `match_colors`, section 3.2.
    """
    gray, target = np.asarray(luminance(style)), np.asarray(luminance(content))
    scale = target.std() / max(float(gray.std()), SMALLEST_VARIANCE)
    matched: NDArray[np.float32] = (gray - gray.mean()) * scale + target.mean()
    return np.clip(matched, 0.0, 1.0).astype(np.float32)


def take_colors_of(content: Any, images: Any) -> tf.Tensor:
    """Return the luminance of `images` with the hues of `content`; float in [0, 1], (..., 3)."""
    matrix = tf.constant(TO_YIQ)
    hues = tf.einsum("...c,dc->...d", tf.cast(content, tf.float32), matrix)[..., 1:]  # (..., 2)
    light = luminance(images)[..., :1]  # (..., 1)
    inverse = tf.constant(np.linalg.inv(TO_YIQ).astype(np.float32))
    mixed = tf.einsum("...c,dc->...d", tf.concat([light, hues], -1), inverse)  # (..., 3)
    return tf.clip_by_value(mixed, 0.0, 1.0)


def _color_statistics(images: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return colors (batch, pixels, 3), their means (batch, 1, 3), covariances (batch, 3, 3)."""
    images = tf.cast(images, tf.float32)
    colors = tf.reshape(images, [tf.shape(images)[0], -1, 3])
    mean = tf.reduce_mean(colors, 1, keepdims=True)
    count = tf.cast(tf.shape(colors)[1], tf.float32)
    covariance = tf.matmul(colors - mean, colors - mean, transpose_a=True) / count
    return colors, mean, covariance + SMALLEST_VARIANCE * tf.eye(3)


def _power(matrices: tf.Tensor, exponent: float) -> tf.Tensor:
    """Return powers of symmetric matrices, shape (batch, 3, 3)."""
    values, vectors = tf.linalg.eigh(matrices)  # (batch, 3), (batch, 3, 3)
    powers = tf.maximum(values, SMALLEST_VARIANCE) ** exponent
    return tf.matmul(vectors * powers[..., tf.newaxis, :], vectors, transpose_b=True)
