"""needs_float64: whether float32 would make different numbers of a table equal."""

import numpy as np
from numpy.typing import NDArray

SAMPLE = 10_000  # rows that are looked at, evenly spread
FINEST = 1e-5  # of the middle half's width: a coarser grid of float32 loses what is to be learnt


def needs_float64(values: NDArray[np.float64]) -> bool:
    """Return whether float32 is too coarse where a column's values lie.

    Unix seconds of one day, for instance, have 675 values in float32, a column of 1e9 plus noise
    has a handful. Such numbers stay float64 until they are centred.

    Args:
        values: Of shape (rows,); what is not finite is passed over.

    Example:
        >>> needs_float64(np.arange(9.0)), needs_float64(1.7e9 + np.arange(9.0))
        (False, True)
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return False
    low, middle, high = np.percentile(values, [25, 50, 75])
    width = high - low if high > low else values.std()
    # A column that never changes has nothing to lose.
    return bool(width > 0 and np.spacing(np.float32(abs(middle))) > FINEST * width)


def share_kept(before: NDArray[np.float64], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each column which share of the different values is different still.

    Args:
        before: Of shape (rows, columns).
        after: The same values scaled.

    Example:
        >>> share_kept(np.array([[0.0], [1e-30], [1.0]]), np.float32([[0], [0], [1]])).round(2)
        array([0.67])
    """
    counts = [[len(np.unique(column)) for column in values.T] for values in (before, after)]
    return np.divide(counts[1], counts[0])
