"""How far generated images are from real ones, by the principal components of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 50


def frechet_distance(samples: NDArray[np.float32], real: NDArray[np.float32]) -> float:
    """Return the Frechet distance between the normal distributions that fit both.

    As FID (Heusel et al. 2017, https://arxiv.org/abs/1706.08500), with the first 50 principal
    components of the real images in the place of a network's features, in units of their variance:
    1 is the distance of images that are all the real ones' mean.

    Args:
        samples: Of shape (examples, ...), in the range of the real ones.
        real: Of shape (examples, ...).
    """
    flat = real.reshape(len(real), -1).astype("float64")
    mean = flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat - mean, full_matrices=False)
    directions = directions[:COMPONENTS].T
    of_real = (flat - mean) @ directions
    of_samples = (samples.reshape(len(samples), -1) - mean) @ directions

    covariances = [np.cov(features, rowvar=False) for features in (of_samples, of_real)]
    # The eigenvalues of a product of covariances are real and not negative, but for rounding.
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(min=0)
    traces = sum(np.trace(covariance) for covariance in covariances)
    shift = np.sum(of_samples.mean(axis=0) ** 2)  # the real ones have their mean at 0
    distance = shift + traces - 2 * np.sum(np.sqrt(eigenvalues))
    return float(distance / np.trace(covariances[1]))
