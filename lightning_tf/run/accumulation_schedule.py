"""AccumulationSchedule: how many batches make an update, epoch by epoch."""

import math
from collections.abc import Mapping
from itertools import pairwise


class AccumulationSchedule:
    """Batches for each update, by the epoch from which on that holds.

    Args:
        batches: For each update, from epoch 0 on.

    Example:
        >>> schedule = AccumulationSchedule(1)
        >>> schedule.replace({0: 1, 4: 2})
        >>> schedule.at(3), schedule.at(7), schedule.accumulates
        (1, 2, True)
        >>> schedule.updates(batches=10, epochs=6)
        50
    """

    def __init__(self, batches: int) -> None:
        self._by_epoch: Mapping[int, int] = {0: int(batches)}

    @property
    def accumulates(self) -> bool:
        """Whether several batches make one update, in any epoch."""
        return max(self._by_epoch.values()) > 1

    def at(self, epoch: int) -> int:
        """Return the batches for each update in an epoch."""
        return self._by_epoch[max(start for start in self._by_epoch if start <= epoch)]

    def replace(self, by_epoch: Mapping[int, int]) -> None:
        """Follow another schedule; epoch 0 is among its keys."""
        self._by_epoch = {int(epoch): int(batches) for epoch, batches in by_epoch.items()}

    def updates(self, batches: int, epochs: int) -> int:
        """Return the updates of the first `epochs` epochs of so many batches."""
        # An incomplete last window of an epoch makes an update too.
        starts = sorted(self._by_epoch)
        return sum(
            (min(end, epochs) - min(start, epochs)) * math.ceil(batches / self._by_epoch[start])
            for start, end in pairwise([*starts, epochs])
        )
