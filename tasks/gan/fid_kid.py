"""FID and KID: distances between two sets of image features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[Any]


def frechet_distance(one: Features, other: Features) -> float:
    """Return the FID: the Frechet distance of two normal distributions with the features' moments.

    Biased: it falls with the number of features. Compare only values of equally many, and beside
    them the distance of real features from other real ones.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium", 2017, https://arxiv.org/abs/1706.08500.

    Args:
        one: Shape (n, features).
        other: Shape (m, features).

    Example:
        >>> points = np.random.default_rng(0).normal(size=(100, 3))
        >>> round(frechet_distance(points, points + 2.0), 6)
        12.0
    """
    # In float32 the differences of covariances of many features would be lost.
    one, other = one.astype(np.float64), other.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(part, rowvar=False)) for part in (one, other))
    # The product's root has the same trace as this symmetric one's, which has a real root.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ second @ root)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()

    between_means = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    distance = between_means + np.trace(first) + np.trace(second) - 2.0 * trace_of_root
    return float(max(distance, 0.0))


def kernel_distance(one: Features, other: Features) -> float:
    """Return the KID: the squared maximum mean discrepancy, kernel ``(x y / d + 1) ** 3``.

    Unbiased: features of the same distribution give about 0, also values below it.

    Source: Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018,
    https://arxiv.org/abs/1801.01401.

    Args:
        one: Shape (n, features), n at least 2.
        other: Shape (m, features), m at least 2.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(200, 3))
        >>> kernel_distance(points, points + 2.0) > 10 * abs(kernel_distance(points, -points))
        True
    """
    one, other = one.astype(np.float64), other.astype(np.float64)

    def kernel(x: Features, y: Features) -> Features:
        values: Features = (x @ y.T / x.shape[1] + 1.0) ** 3
        return values

    within = 0.0
    for part in (one, other):
        values, count = kernel(part, part), len(part)
        # Without the diagonal, where each is compared with itself: that would be biased.
        within += (values.sum() - np.trace(values)) / (count * (count - 1))

    return float(within - 2.0 * kernel(one, other).mean())
