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


def balanced_order(classes: NDArray[np.integer], seed: int, epoch: int) -> Indices:
    """Draw as many places as there are examples, each class equally often or once more.

    A pure function of (seed, epoch) like `epoch_order`. Within an epoch every example of a class
    comes equally often, or once more than another: of a large class some come, of a small one all,
    several times (random over- and undersampling; He and Garcia 2009,
    https://doi.org/10.1109/TKDE.2008.239).

    Args:
        classes: The class of each example, shape (examples,). Classes without an example are left
            out.
        seed: Decides the order, with the epoch.
        epoch: See `seed`.

    Example:
        >>> classes = np.array([0, 0, 0, 0, 0, 1])
        >>> np.bincount(classes[balanced_order(classes, seed=0, epoch=0)]).tolist()
        [3, 3]
    """
    random = np.random.RandomState([seed, epoch])
    by_class = np.split(np.argsort(classes, kind="stable"), _bounds(classes))
    quota, rest = divmod(len(classes), len(by_class))
    once_more = set(random.permutation(len(by_class))[:rest].tolist())

    drawn = []
    for number, places in enumerate(by_class):
        whole, part = divmod(quota + (number in once_more), len(places))
        drawn += [np.tile(places, whole), random.permutation(places)[:part]]
    return random.permutation(np.concatenate(drawn)).astype(np.int64)


def _bounds(classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where, among sorted classes, each but the first begins."""
    return np.flatnonzero(np.diff(np.sort(classes))) + 1
