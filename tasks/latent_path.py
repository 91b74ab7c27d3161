"""latent_paths: from one latent vector to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def latent_paths(
    starts: NDArray[np.floating], ends: NDArray[np.floating], steps: int
) -> NDArray[np.floating]:
    """Go from each start to its end in equal steps along the sphere.

    On a straight line between two normal vectors the middle is shorter than any that a generator
    was trained with. Source: White, "Sampling Generative Networks", 2016,
    https://arxiv.org/abs/1609.04468.

    Args:
        starts: Shape (n, latent_dim).
        ends: The same shape.
        steps: Points on a path, both ends among them.

    Returns:
        Shape (n, steps, latent_dim).

    Example:
        >>> latent_paths(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 3).round(3).tolist()
        [[[1.0, 0.0], [0.707, 0.707], [0.0, 1.0]]]
    """
    lengths = [np.linalg.norm(ends_or_starts, axis=1) for ends_or_starts in (starts, ends)]
    cosines = (starts * ends).sum(axis=1) / (lengths[0] * lengths[1])
    angles = np.arccos(np.clip(cosines, -1.0, 1.0))[:, None, None]
    at = np.linspace(0.0, 1.0, steps)[None, :, None]
    # Nearly parallel vectors: the straight line is the same, and the formula divides by 0.
    straight = np.sin(angles) < 1e-6
    sine = np.where(straight, 1.0, np.sin(angles))
    first = np.where(straight, 1.0 - at, np.sin((1.0 - at) * angles) / sine)
    second = np.where(straight, at, np.sin(at * angles) / sine)
    paths: NDArray[np.floating] = first * starts[:, None] + second * ends[:, None]
    return paths
