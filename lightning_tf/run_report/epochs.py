"""Epochs: where in its epochs a run was at an update."""

from bisect import bisect_left
from collections.abc import Sequence

from lightning_tf.run_report.rows import Row

OF_EPOCH = "_epoch"  # ends the name of a mean over an epoch


class Epochs:
    """Turns updates into epochs done, by the rows that end an epoch.

    Args:
        rows: Of a run, by update.

    Attributes:
        count: Epochs that have ended.

    Example:
        >>> epochs = Epochs([Row(40, 0, {"train/loss_epoch": 0.7})])
        >>> epochs.at(20)
        0.5
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        ends: dict[int, int] = {}
        for row in rows:
            if row.epoch is not None and any(name.endswith(OF_EPOCH) for name in row.values):
                ends.setdefault(row.epoch + 1, row.step)

        # Both must rise: a file that somebody put together from two runs gives no epochs.
        self._done, self._steps = [0, *sorted(ends)], [0]
        self._steps += [ends[epoch] for epoch in self._done[1:]]
        pairs = zip(self._steps, self._steps[1:], strict=False)
        self.count = self._done[-1] if all(a < b for a, b in pairs) else 0

    def at(self, step: int) -> float:
        """Return the epochs done at an update; between two ends, a fraction."""
        right = min(max(bisect_left(self._steps, step), 1), len(self._steps) - 1)
        steps, done = self._steps[right - 1 : right + 1], self._done[right - 1 : right + 1]
        share = (step - steps[0]) / (steps[1] - steps[0])
        return done[0] + share * (done[1] - done[0])
