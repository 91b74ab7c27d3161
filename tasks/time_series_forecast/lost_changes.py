"""lost_changes: how much of a series float32 cannot tell apart, even centred and scaled."""

import numpy as np
from numpy.typing import NDArray

TOLERATED = 0.1  # of the changes; a few tiny ones are noise of the last digit


def lost_changes(
    levels: NDArray[np.float64], lag: int, scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of changes between neighboring rows that are 0 in float32.

    Args:
        levels: Of shape (rows, columns).
        lag: From each row to the one that is subtracted; 0 subtracts the mean.
        scale: By which the differences are divided, shape (columns,).

    Returns:
        Of shape (columns,).

    Example:
        >>> rows = np.array([[0.0], [1.0], [2.0], [3e9]])
        >>> lost_changes(rows, 0, np.ones(1)).round(2).tolist()
        [0.67]
    """
    count = max(0, len(levels) - max(lag, 1))
    anchors = levels[lag : lag + count] if lag else levels.mean(axis=0)
    first, second = (((levels[i : i + count] - anchors) / scale).astype(np.float32) for i in (0, 1))
    changes = levels[1 : 1 + count] != levels[:count]
    lost = changes & (first == second)
    return np.asarray(lost.sum(axis=0) / np.maximum(changes.sum(axis=0), 1))
