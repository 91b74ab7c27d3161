"""Values of images with more than eight bits: which become black and which white."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners give; a file of 16 may hold fewer."""

ValueRange = tuple[float, float]


def stored_range(low: float, high: float, is_float: bool) -> ValueRange:
    """Return the values that become 0 and 255, of images with these lowest and highest values.

    Integers begin at 0 and end at what the fewest bits of `DEPTHS` can hold that hold them all:
    12-bit values in a file of 16 bits end at 4095. Floats are taken for [0, 1] or [-1, 1] where
    they are within it. Everything else, such as negative integers, is scaled by what it holds.

    Args:
        low: The lowest value.
        high: The highest value.
        is_float: Whether they are floats.

    Example:
        >>> stored_range(3, 4000, is_float=False), stored_range(0.1, 0.9, is_float=True)
        ((0.0, 4095.0), (0.0, 1.0))
    """
    if is_float and high <= 1.0 and low >= -1.0:
        return (0.0, 1.0) if low >= 0.0 else (-1.0, 1.0)
    ends = [2**bits - 1 for bits in DEPTHS if high < 2**bits]
    if not is_float and low >= 0 and ends:
        return 0.0, float(ends[0])
    return float(low), float(high)


def scale_to_bytes(values: NDArray[Any], value_range: ValueRange) -> NDArray[np.uint8]:
    """Return values as uint8: the lowest of the range is 0, the highest 255, others are clipped.

    Example:
        >>> scale_to_bytes(np.array([0, 2048, 4095, 9000]), (0.0, 4095.0)).tolist()
        [0, 128, 255, 255]
    """
    low, high = value_range
    if not low < high:  # one value in the whole image
        return np.zeros(values.shape, np.uint8)

    if values.dtype.kind in "ui" and low.is_integer() and high.is_integer():
        # Integers round alike wherever they are computed, as in an exported graph.
        span = int(high) - int(low)
        scaled = (510 * (values.astype(np.int64) - int(low)) + span) // (2 * span)
    else:
        scaled = np.round((values.astype(np.float64) - low) * (255.0 / (high - low)))
    return np.clip(scaled, 0, 255).astype(np.uint8)
