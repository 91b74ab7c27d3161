"""SeriesStore: one or several time series, one after the other in one array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.series.series_reading import SeriesReading

NO_TIMES = SeriesReading()


@dataclass(frozen=True)
class SeriesStore:
    """Every value of the series, checked.

    Attributes:
        values: Of shape (rows, channels): the targets first, then the features that are known up
            to now only, then those that are known in the future too. Float32 where that holds
            every value exactly, else float64.
        times: The time of every row, shape (rows,): datetimes (in UTC where they have a zone) or
            numbers.
        starts: Where each series begins, and at the end the number of rows; shape (series + 1,).
        names: Of the series.
        targets: Names of the target columns.
        unknown: Names of the features whose future is not known.
        known: Names of the features whose future is known.
        reading: How the table was read.
        numbers: The number that each series has for a network, shape (series,); None for its place.

    Example:
        >>> x = np.zeros((9, 2), np.float32)
        >>> store = SeriesStore(x, np.arange(9), np.array([0, 4, 9]), ("a", "b"), ("y",), ("z",))
        >>> store.series_of(np.array([0, 3, 4])).tolist()
        [0, 0, 1]
    """

    values: NDArray[np.floating]
    times: NDArray[Any]
    starts: NDArray[np.int64]
    names: tuple[str, ...]
    targets: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    reading: SeriesReading = NO_TIMES
    numbers: NDArray[np.int64] | None = None

    def series_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the series that each row belongs to."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    @property
    def target_values(self) -> NDArray[np.floating]:
        """Return the target columns, a view of shape (rows, targets)."""
        return self.values[:, : len(self.targets)]
