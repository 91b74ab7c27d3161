"""Means over examples, or by weights: sums on the device, divided on the host."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def weighted_sums(
    values: Sequence[tf.Tensor], examples: tf.Tensor, weight: tf.Tensor | None = None
) -> tf.Tensor:
    """Return, in the graph, what adds up over replicas and batches and `mean_values` divides.

    Args:
        values: Float32 scalars, each a mean over the examples.
        examples: How many examples that are, float32.
        weight: What they count instead, where the step says so; 0 leaves even NaN out.

    Returns:
        Each value times the examples, then the examples, of shape (values + 1,); or each value
        times the weight, the examples and the weight, of shape (values + 2,).
    """
    if weight is None:
        return tf.stack([*values, tf.ones([])]) * examples  # (values + 1,) float32
    weighted = tf.math.multiply_no_nan(tf.stack([*values, tf.ones([])]), weight)
    return tf.concat([weighted[:-1], [examples], weighted[-1:]], 0)  # (values + 2,) float32


def mean_values(names: Sequence[str], sums: np.ndarray) -> dict[str, float]:
    """Return the means over examples by name; empty where there were no examples.

    Example:
        >>> mean_values(["loss"], np.array([6.0, 4.0]))
        {'loss': 1.5}
    """
    sums = sums.astype(np.float64)
    if sums[-1] == 0.0:
        return {}
    return dict(zip(names, (sums[: len(names)] / sums[-1]).tolist(), strict=True))


class Means:
    """Means over examples since the last row and since the epoch began.

    The device's sums are float32 and begin anew whenever the loop reads them; here they add up in
    float64, so that a long epoch loses no digits.

    Args:
        names: The values' names, in the order of the device's sums.
        size: Of the device's sums, see `weighted_sums`; None is that without weights.
    """

    def __init__(self, names: tuple[str, ...], size: int | None = None) -> None:
        self.names = names
        self._row = np.zeros(size or len(names) + 1)
        self._epoch = np.zeros_like(self._row)

    @property
    def size(self) -> int:
        """How many sums there are."""
        return len(self._row)

    @property
    def examples(self) -> float:
        """The examples of the epoch so far."""
        return float(self._epoch[len(self.names)])

    def add(self, sums: np.ndarray) -> None:
        """Take the device's sums."""
        self._row += sums
        self._epoch += sums

    def take_row(self) -> dict[str, float]:
        """Return the means since the last row and begin a new row."""
        means = mean_values(self.names, self._row)
        self._row[:] = 0.0
        return means

    def take_epoch(self) -> dict[str, float]:
        """Return the means over the epoch so far and begin a new epoch."""
        means = self.epoch_so_far()
        self._epoch[:] = 0.0
        return means

    def epoch_so_far(self, pending: np.ndarray | None = None) -> dict[str, float]:
        """Return the means over the epoch so far, with sums that the device still holds."""
        return mean_values(self.names, self._epoch if pending is None else self._epoch + pending)

    def state(self) -> dict[str, list[float]]:
        """Return what a resumed run needs."""
        return {"row": self._row.tolist(), "epoch": self._epoch.tolist()}

    def load_state(self, state: dict[str, list[float]]) -> None:
        """Take back what `state` gave."""
        self._row[:] = state["row"]
        self._epoch[:] = state["epoch"]
