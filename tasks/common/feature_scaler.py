"""FeatureScaler: columns scaled, and scaled back, by weights."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import check_known
from lightning_tf.data.tables.float32_loss import SAMPLE, share_kept

BLOCK = 8192  # rows, which a cache holds
SCALERS = ("standard", "minmax", "none")
LEAST_KEPT = 0.95  # of a column's different values; some of many always fall together

_log = logging.getLogger(__name__)


class FeatureScaler(keras.layers.Layer):  # type: ignore[misc]
    """Subtracts a centre from every column and divides by a scale; both are weights.

    They are saved, restored, exported and copied to replicas like any weight, so that new data are
    scaled by the same numbers. They do not train.

    Args:
        columns: How many columns there are.
        kind: ``standard`` for the mean and the standard deviation, ``minmax`` for the smallest
            value and the range, ``none`` for 0 and 1.
        groups: Rows of different groups are scaled by numbers of their own.
        precise: Whether values are float64, and centred before they become float32.
        name: Of the layer.

    Raises:
        ConfigurationError: The kind is unknown.

    Example:
        >>> scaler = FeatureScaler(1)
        >>> scaler.fit([np.array([[1.0], [3.0]])])
        >>> scaler(tf.constant([[1.0], [5.0]])).numpy().ravel().tolist()
        [-1.0, 3.0]
    """

    def __init__(
        self,
        columns: int,
        kind: str = "standard",
        groups: int = 1,
        precise: bool = False,
        name: str = "scaler",
    ) -> None:
        # No autocast: float64 values are centred before they become float32.
        super().__init__(name=name, dtype="float32", autocast=False)
        check_scaler(kind)
        self.kind, self.precise, shape = kind, precise, (groups, columns)
        options = {"dtype": "float32", "trainable": False}
        self.center = self.add_weight(shape=shape, initializer="zeros", name="center", **options)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale", **options)
        # Two float32 numbers hold the centre to 48 bits.
        self.center_rest = (
            self.add_weight(shape=shape, initializer="zeros", name="center_rest", **options)
            if precise
            else None
        )
        # A weight too, so that a checkpoint tells whether the scales come from data.
        self.fitted = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="fitted"
        )
        self.built = True

    @property
    def is_fitted(self) -> bool:
        """Whether the weights come from data or from a checkpoint."""
        return bool(np.asarray(self.fitted.numpy()))

    def fit(self, groups: Sequence[NDArray[Any]]) -> None:
        """Take centres and scales from training data.

        Args:
            groups: For each group an array of shape (rows, columns).
        """
        if self.kind != "none":
            numbers = [_center_and_scale(self.kind, np.asarray(rows)) for rows in groups]
            center = np.stack([center for center, _ in numbers])  # (groups, columns)
            self.center.assign(center.astype(np.float32))
            if self.center_rest is not None:
                self.center_rest.assign((center - center.astype(np.float32)).astype(np.float32))
            self.scale.assign(np.stack([scale for _, scale in numbers]).astype(np.float32))
        self.fitted.assign(1)

    def call(self, values: tf.Tensor, group: Any = None) -> tf.Tensor:
        """Scale float values whose last axis is the columns, or the last ones of them.

        Args:
            values: Of shape (batch, ..., columns).
            group: The group of each example, int32 of shape (batch,); None where there is one.
        """
        dtype = tf.float64 if self.precise else tf.float32
        center, scale = self._numbers(values, group)
        return tf.cast(tf.cast(values, dtype) - center, tf.float32) / scale

    def inverse(self, values: tf.Tensor, group: Any = None) -> tf.Tensor:
        """Return scaled values in the data's units, in float64 where `precise`."""
        center, scale = self._numbers(values, group)
        return tf.cast(tf.cast(values, tf.float32) * scale, center.dtype) + center

    def differences(self, values: tf.Tensor, group: Any = None) -> tf.Tensor:
        """Return scaled values in the data's units less the centre, which float32 can hold."""
        return tf.cast(values, tf.float32) * self._numbers(values, group)[1]

    def _numbers(self, values: tf.Tensor, group: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Return centre and scale of each example, of the rank of the values."""
        center = tf.convert_to_tensor(self.center)
        if self.center_rest is not None:
            center = tf.cast(center, tf.float64) + tf.cast(self.center_rest, tf.float64)

        numbers = []
        for rows in (center, tf.convert_to_tensor(self.scale)):  # (groups, columns)
            rows = rows[:1] if group is None else tf.gather(rows, group)  # (1 or batch, columns)
            rows = rows[:, -values.shape[-1] :]
            between = [1] * (values.shape.rank - 2)
            numbers.append(tf.reshape(rows, [tf.shape(rows)[0], *between, rows.shape[-1]]))
        return numbers[0], numbers[1]


def check_scaler(kind: str) -> None:
    """Refuse an unknown kind of scaler."""
    check_known(f"scaler {kind!r} is unknown", kind, SCALERS)


def _center_and_scale(kind: str, rows: NDArray[Any]) -> tuple[Any, Any]:
    if kind == "standard":
        center, scale = _mean_and_deviation(rows)
    else:
        center, highest = (ends(axis=0).astype(float) for ends in (rows.min, rows.max))
        scale = highest - center
    # A column that never changes becomes 0; divided by its scale it would be NaN.
    return center, np.where(scale > 1e-12 * np.maximum(np.abs(center), 1e-30), scale, 1.0)


def _mean_and_deviation(rows: NDArray[Any]) -> tuple[Any, Any]:
    """Return mean and standard deviation of each column, in float64."""
    if rows.shape[1] == 1 or not rows.flags.c_contiguous:
        rows = np.asarray(rows, float)
        return rows.mean(axis=0), rows.std(axis=0)

    # NumPy sums such rows one after the other. So do blocks, to the same bits, of which no float64
    # copy of a whole table is made.
    def mean(part: Callable[[Any], Any]) -> Any:
        total = np.zeros((1, rows.shape[1]))
        for start in range(0, len(rows), BLOCK):
            block = part(rows[start : start + BLOCK].astype(float))
            total = np.concatenate([total, block]).sum(axis=0, keepdims=True)
        return total[0] / len(rows)

    center = mean(lambda block: block)
    return center, np.sqrt(mean(lambda block: np.square(block - center)))


def warn_of_equal(scaler: FeatureScaler, values: Any, names: Sequence[str]) -> None:
    """Warn of columns whose different values are equal once they are scaled.

    Args:
        scaler: Fitted.
        values: Of the training rows, shape (rows, columns).
        names: Of the columns.
    """
    sample = np.asarray(values)[:: max(1, len(values) // SAMPLE)]
    kept = share_kept(sample, scaler(tf.convert_to_tensor(sample)).numpy())
    for name, share in zip(names, kept, strict=True):
        if share < LEAST_KEPT:
            _log.warning(
                "%s: %.0f %% of its different values are equal in float32 after scaling (%s); "
                "learn from its logarithm, or from differences.",
                name, 100 * (1 - share), scaler.kind,
            )  # fmt: skip
