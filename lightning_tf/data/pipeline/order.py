"""The order of an epoch, as an array of indices."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def epoch_order(indices: Indices, seed: int, epoch: int) -> Indices:
    """Shuffle `indices` by a pure function of (seed, epoch).

    `RandomState` is used because NumPy guarantees its streams for ever; those of `Generator` may
    change between versions, and with them the batches of a resumed run.

    Example:
        >>> epoch_order(np.arange(5), seed=0, epoch=0)
        array([2, 0, 3, 4, 1])
    """
    return np.random.RandomState([seed, epoch]).permutation(indices)
