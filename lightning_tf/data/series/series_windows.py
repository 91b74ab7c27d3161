"""SeriesWindows: pieces of time series, cut out of the stored array when a batch needs them."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.pipeline.gathered_batches import GatheredBatches
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.series.series_store import SeriesStore


class SeriesWindows:
    """Windows by the row of their origin, the first one that is forecast.

    An input is a dict: ``past`` of shape (batch, history, channels), the rows before the origin;
    ``series``, int32 of shape (batch,); and, where features of the future are known, ``future`` of
    shape (batch, horizon, known features). A target has shape (batch, horizon, targets). All are in
    the data's own units and of the store's dtype.

    Args:
        store: The series.
        history: Rows before the origin.
        horizon: Rows to forecast.

    Example:
        >>> x = np.arange(5, dtype=np.float32)[:, None]
        >>> store = SeriesStore(x, np.arange(5), np.array([0, 5]), ("",), ("y",))
        >>> inputs, targets = next(iter(SeriesWindows(store, 2, 1).batches(np.array([3]), 1)))
        >>> inputs["past"].numpy().ravel().tolist(), targets.numpy().ravel().tolist()
        ([1.0, 2.0], [3.0])
    """

    def __init__(self, store: SeriesStore, history: int, horizon: int) -> None:
        """Take the series into host memory, where the input pipeline runs."""
        self.store = store
        with tf.device("CPU:0"):
            self._values = tf.constant(store.values)
            self._starts = tf.constant(store.starts, tf.int64)
            numbers = np.arange(len(store.names)) if store.numbers is None else store.numbers
            self._numbers = tf.constant(numbers, tf.int32)
            self._before = tf.range(-history, 0, dtype=tf.int64)
            self._after = tf.range(horizon, dtype=tf.int64)

        first = history  # the first origin of the first series, which is as long as a window
        self._inputs = GatheredBatches(self._input, first)
        self._examples = GatheredBatches(
            lambda origins: (self._input(origins), self._target(origins)), first
        )

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of (inputs, targets) of these origins in this order."""
        return self._examples.batches(indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without targets."""
        return self._inputs.batches(indices, batch_size)

    def _input(self, origins: tf.Tensor) -> dict[str, tf.Tensor]:
        known = len(self.store.known)
        # Starts are sorted: an origin belongs to the last series that begins at or before it.
        places = tf.searchsorted(self._starts, tf.reshape(origins, [-1]), side="right") - 1
        inputs = {
            # (..., history, channels)
            "past": tf.gather(self._values, origins[..., tf.newaxis] + self._before),
            "series": tf.reshape(tf.gather(self._numbers, places), tf.shape(origins)),  # (...)
        }
        if known:
            future = tf.gather(self._values, origins[..., tf.newaxis] + self._after)
            inputs["future"] = future[..., future.shape[-1] - known :]  # (..., horizon, known)
        return inputs

    def _target(self, origins: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self._values, origins[..., tf.newaxis] + self._after)
        return rows[..., : len(self.store.targets)]  # (..., horizon, targets)


def window_origins(
    starts: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    history: int,
    horizon: int,
) -> Indices:
    """Return the origins of all windows that forecast rows ``first..last-1`` of each series.

    Args:
        starts: Where each series begins; the rows before an origin may lie before `first`, but not
            before that.
        first: The first row of each series that may be forecast.
        last: The end of the rows that may be forecast.
        history: Rows before the origin.
        horizon: Rows to forecast.

    Returns:
        Rows in ascending order.

    Example:
        >>> one = [np.array([n]) for n in (0, 0, 10)]
        >>> window_origins(*one, history=3, horizon=5).tolist()
        [3, 4, 5]
    """
    pieces: list[Any] = [
        np.arange(max(start + history, begin), end - horizon + 1, dtype=np.int64)
        for start, begin, end in zip(starts, first, last, strict=True)
    ]
    return np.concatenate(pieces)
