"""SeriesTransform: between the units of a series and what a network takes and gives."""

import logging
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import check_known
from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.exceptions import DataError
from lightning_tf.tasks.common.feature_scaler import FeatureScaler
from lightning_tf.tasks.time_series_forecast.lost_changes import TOLERATED, lost_changes

_log = logging.getLogger(__name__)

TRANSFORMS = ("none", "last_value", "difference", "return")
CHANGES = ("difference", "return")


class SeriesTransform(keras.layers.Layer):  # type: ignore[misc]
    """Transforms windows in the data's units to a network's inputs, and its outputs back.

    - ``none``: the scaled values themselves.
    - ``last_value``: values less the last one that is known, in and out. Levels that training never
      saw look like those that it did (the N in NLinear; Zeng et al. 2022,
      https://arxiv.org/abs/2205.13504).
    - ``difference``: changes from row to row in; out, for each step, the change since the last
      known value.
    - ``return``: the same with logarithms, for series that grow by a share of themselves.

    Targets are transformed, features are only scaled. Every step is monotone, so that quantiles
    remain quantiles. Each series has scales of its own, taken from its training split.

    Values are float64 until they are centred, and forecasts are again; what the network sees is
    float32, in which values near 1e9 that differ by 1 would be equal before that.

    Args:
        kind: One of `TRANSFORMS`.
        scaler: As of `FeatureScaler`.
        series: How many series there are.
        targets: How many columns are forecast.
        features: How many more columns there are.

    Raises:
        ConfigurationError: The kind or the scaler is unknown.

    Example:
        >>> transform = SeriesTransform("return", "none", series=1, targets=1, features=0)
        >>> past = tf.constant([[[100.0], [110.0]]])
        >>> round(float(transform.past(past, tf.constant([0]))[0, 0, 0]), 4)
        0.0953
    """

    def __init__(self, kind: str, scaler: str, series: int, targets: int, features: int) -> None:
        super().__init__(name="transform", dtype="float64")
        check_transform(kind)
        self.kind, self.targets = kind, targets

        def scale(columns: int, name: str) -> FeatureScaler:
            return FeatureScaler(columns, scaler, series, precise=True, name=name)

        self.inputs = scale(targets, "inputs")
        self.features = scale(features, "features") if features else None
        self.outputs = scale(targets, "outputs")
        self.naive_error = self.add_weight(
            shape=(series, targets),
            initializer="ones",
            dtype="float64",
            trainable=False,
            name="naive_error",
        )
        self.built = True

    @property
    def rows_lost(self) -> int:
        """Rows of the history that are used up."""
        return int(self.kind in CHANGES)

    def fit(
        self,
        store: SeriesStore,
        ends: NDArray[np.int64],
        *,
        history: int,
        horizon: int,
        season: int,
    ) -> None:
        """Take all scales from the training split.

        Args:
            store: The series.
            ends: The end of each series' training split.
            history: Rows that the network sees.
            horizon: Rows that it forecasts.
            season: How many rows before a value the naive forecast of MASE looks.

        Raises:
            DataError: Returns of values that are not positive.
        """
        self._check_positive(store)

        inputs, features, outputs, errors = [], [], [], []
        for start, end in zip(store.starts[:-1], ends, strict=True):
            rows = store.values[start:end].astype(np.float64)
            values = rows[:, : self.targets]
            levels = np.log(values) if self.kind == "return" else values
            inputs.append(self._training_inputs(levels, history))
            steps = range(1, min(horizon, len(levels) - 1) + 1)
            outputs.append(levels if self.kind == "none" else _lagged(levels, steps))
            features.append(rows[:, self.targets :])

            # The error of the (seasonal) naive forecast, by which MASE divides; never 0.
            lag = min(season, len(values) - 1)
            error = np.abs(values[lag:] - values[:-lag]).mean(axis=0)
            errors.append(np.where(error > 0, error, 1.0))

        self.inputs.fit(inputs)
        self.outputs.fit(outputs)
        if self.features is not None:
            self.features.fit(features)
        self.naive_error.assign(np.stack(errors))
        self._tell_lost(store, ends, history)

    @property
    def is_fitted(self) -> bool:
        """Whether the scales come from data or from a checkpoint."""
        return self.outputs.is_fitted

    def past(self, past: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Return what the network sees of windows of shape (batch, history, channels).

        Returns:
            Float32 of shape (batch, history - rows_lost, channels).
        """
        levels = self._levels(past[..., : self.targets])  # (batch, history, targets)
        if self.kind == "last_value":
            levels = levels - levels[:, -1:]
        elif self.kind in CHANGES:
            levels = levels[:, 1:] - levels[:, :-1]

        channels = [self.inputs(levels, series)]
        if self.features is not None:
            channels.append(self.features(past[:, self.rows_lost :, self.targets :], series))
        return tf.concat(channels, axis=-1)  # (batch, history - rows_lost, channels)

    def future(self, future: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Return the scaled known features of the rows to forecast, the last of all features."""
        if self.features is None or not future.shape[-1]:
            return tf.cast(future, tf.float32)

        return self.features(future, series)

    def target(self, y: tf.Tensor, past: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Return what the network should give for true values (batch, horizon, targets)."""
        levels = self._levels(y)
        return self.outputs(levels - self._anchor(past), series)

    def forecast(self, outputs: tf.Tensor, past: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Return the forecast, in the data's units, of outputs (batch, horizon, targets)."""
        levels = self.outputs.inverse(outputs, series) + self._anchor(past)
        return tf.exp(levels) if self.kind == "return" else levels

    def _anchor(self, past: tf.Tensor) -> Any:
        # The last known level, (batch, 1, targets); forecasts are changes from it.
        return 0.0 if self.kind == "none" else self._levels(past[:, -1:, : self.targets])

    def _levels(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.cast(values, tf.float64)
        return tf.math.log(values) if self.kind == "return" else values

    def _training_inputs(self, levels: NDArray[np.float64], history: int) -> NDArray[np.float64]:
        if self.kind == "none":
            return levels
        if self.kind == "last_value":
            # Values less the last one: changes over every distance inside a window, backwards.
            return -_lagged(levels, range(min(history, len(levels))))
        return np.diff(levels, axis=0)

    def _tell_lost(self, store: SeriesStore, ends: NDArray[np.int64], history: int) -> None:
        """Warn where even scaled values are equal in float32 that differ in the data."""
        names = [*store.targets, *store.unknown, *store.known]
        for number, (start, end) in enumerate(zip(store.starts[:-1], ends, strict=True)):
            rows = store.values[start:end].astype(np.float64)
            levels, features = rows[:, : self.targets], rows[:, self.targets :]
            levels = np.log(levels) if self.kind == "return" else levels
            lag = 0 if self.kind == "none" else (1 if self.kind in CHANGES else history - 1)
            shares = lost_changes(levels, lag, self.inputs.scale.numpy()[number])
            if self.features is not None:
                scale = self.features.scale.numpy()[number]
                shares = np.concatenate([shares, lost_changes(features, 0, scale)])
            for column in np.flatnonzero(shares > TOLERATED):
                _log.warning(
                    "%s%s: float32 loses %.0f %% of the changes from row to row, even of scaled "
                    "values; correct outliers, or take scaler='standard' and "
                    "transform='difference'.",
                    names[column],
                    f" of series {store.names[number]}" if store.names[number] else "",
                    100 * shares[column],
                )

    def _check_positive(self, store: SeriesStore) -> None:
        if self.kind != "return":
            return
        not_positive = np.argwhere(store.target_values <= 0)
        if len(not_positive):
            row, column = not_positive[0]
            raise DataError(
                f"{store.targets[column]} is {store.values[row, column]:g} at {store.times[row]}; "
                "transform='return' needs positive values: take 'difference'."
            )


def check_transform(kind: str) -> None:
    """Refuse an unknown transform."""
    check_known(f"transform {kind!r} is unknown", kind, TRANSFORMS)


def _lagged(levels: NDArray[np.float64], lags: range) -> NDArray[np.float64]:
    """Return the changes over each of several numbers of rows, one after the other."""
    return np.concatenate([levels[lag:] - levels[: len(levels) - lag] for lag in lags])
