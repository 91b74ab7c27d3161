"""Forecaster: a named or given network, built into a Keras model for windows of series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.tasks.common.feature_scaler import check_scaler
from lightning_tf.tasks.networks.forecast.build import (
    FORECAST_NETWORKS,
    RECURRENT,
    build_forecast_network,
    forecast_inputs,
)
from lightning_tf.tasks.networks.forecast.layers import ForecastLayers
from lightning_tf.tasks.time_series_forecast.series_spec import SeriesSpec
from lightning_tf.tasks.time_series_forecast.series_transform import (
    SeriesTransform,
    check_transform,
)
from lightning_tf.tasks.time_series_forecast.unrolling import unrolling_pays
from lightning_tf.trainer import Trainer

Inputs = Mapping[str, tf.Tensor]
DEFAULTS = {"units": 64, "depth": 2, "dropout": 0.0, "bidirectional": False, "unroll": None}


class Forecaster:
    """A network that is still to be built to the columns of its data.

    Args:
        network: A key of `FORECAST_NETWORKS`, or a Keras model from windows of shape (batch, rows,
            channels) to ``horizon * targets * max(1, quantiles)`` numbers.
        transform: As of `SeriesTransform`.
        scaler: As of `FeatureScaler`.
        quantiles: To forecast; none for a point forecast.
        layers: units, depth, dropout, bidirectional, unroll of a named network.

    Raises:
        ConfigurationError: A name is unknown, a number is out of range, or options do not go with
            the network.

    Example:
        >>> Forecaster("lstm", "return", "standard", (), {**DEFAULTS, "units": 32}).rows_lost
        1
    """

    def __init__(
        self,
        network: Any,
        transform: str,
        scaler: str,
        quantiles: Sequence[float],
        layers: Mapping[str, Any],
    ) -> None:
        check_transform(transform)
        check_scaler(scaler)

        if isinstance(network, keras.Model):
            changed = _changed(layers, *DEFAULTS)
        elif isinstance(network, str) and network in FORECAST_NETWORKS:
            changed = [] if network in RECURRENT else _changed(layers, "bidirectional", "unroll")
        else:
            hint = nearest(network, FORECAST_NETWORKS)
            raise ConfigurationError(f"network {network!r} is unknown.{hint}")
        if changed:
            raise ConfigurationError(
                f"{changed[0]}={layers[changed[0]]!r} has no meaning for network="
                f"{network if isinstance(network, str) else network.name!r}; leave it out."
            )

        self.network, self.transform, self.scaler = network, transform, scaler
        self.quantiles, self.layers = tuple(quantiles), ForecastLayers(**layers)

    @property
    def rows_lost(self) -> int:
        """Rows of the history that the transform uses up."""
        return int(self.transform in ("difference", "return"))

    def choose_unrolling(self, history: int, trainer: Trainer | None) -> None:
        """Decide on `unroll` where neither the user nor a checkpoint has: take what pays.

        Args:
            history: Rows of a window.
            trainer: That drives the task; None outside of a run.
        """
        if self.network not in RECURRENT or self.layers.unroll is not None:
            return
        ends = 2 if self.layers.bidirectional else 1
        cells = (history - self.rows_lost) * self.layers.depth * ends
        self.layers.unroll = unrolling_pays(self.network, cells, self.layers.units, trainer)

    def build(self, spec: SeriesSpec, history: int, horizon: int) -> BuiltForecaster:
        """Make the model and its scales.

        Args:
            spec: The columns of the data.
            history: Rows of a window.
            horizon: Rows of a forecast.

        Raises:
            ConfigurationError: The given model does not fit.
        """
        targets, known = len(spec.targets), len(spec.known)
        features = len(spec.unknown) + known
        series = len(spec.series)
        output = (horizon, targets, *([len(self.quantiles)] if self.quantiles else []))
        past = (history - self.rows_lost, targets + features)

        if isinstance(self.network, str):
            model = build_forecast_network(
                self.network, past, (horizon, known), output, self.layers, series
            )
        else:
            model = _adapt(self.network, past, (horizon, known), output)

        transform = SeriesTransform(self.transform, self.scaler, series, targets, features)
        return BuiltForecaster(model, transform, self.quantiles)


class BuiltForecaster:
    """A model and the transform of its inputs and outputs.

    Args:
        model: From ``[past, future, series]`` to outputs.
        transform: Between the data's units and the model's.
        quantiles: Of the outputs' last axis; empty where there is none.
    """

    def __init__(
        self, model: keras.Model, transform: SeriesTransform, quantiles: Sequence[float]
    ) -> None:
        self.model, self.transform, self.quantiles = model, transform, quantiles

    def outputs(self, inputs: Inputs, training: bool) -> tf.Tensor:
        """Return the model's scaled outputs, of shape (batch, horizon, targets, ...)."""
        series = inputs["series"]
        past = self.transform.past(inputs["past"], series)  # (batch, history - rows_lost, channels)
        future = inputs.get("future")
        if future is None:
            future = tf.zeros([tf.shape(series)[0], self.model.inputs[1].shape[1], 0])
        future = self.transform.future(future, series)  # (batch, horizon, known features)
        return tf.cast(self.model([past, future, series], training=training), tf.float32)

    def forecast(self, outputs: tf.Tensor, inputs: Inputs) -> tf.Tensor:
        """Return outputs in the data's units; quantiles in ascending order.

        Sorting repairs quantiles that cross and never makes them worse (Chernozhukov,
        Fernandez-Val and Galichon 2010, https://doi.org/10.3982/ECTA7880).
        """
        past, series = inputs["past"], inputs["series"]
        if not self.quantiles:
            return self.transform.forecast(outputs, past, series)

        forecasts = [
            self.transform.forecast(quantile, past, series)
            for quantile in tf.unstack(outputs, axis=-1)
        ]
        return tf.sort(tf.stack(forecasts, axis=-1), axis=-1)  # (batch, horizon, targets, q)

    def point(self, forecast: tf.Tensor) -> tf.Tensor:
        """Return the median where there are quantiles, shape (batch, horizon, targets)."""
        return forecast[..., self.quantiles.index(0.5)] if self.quantiles else forecast


def _changed(layers: Mapping[str, Any], *names: str) -> list[str]:
    """Return the options that differ from their defaults."""
    # No unrolling is no unrolling, whether False or None says so.
    return [name for name in names if (layers[name] or None) != (DEFAULTS[name] or None)]


def _adapt(
    network: keras.Model, past: tuple[int, int], future: tuple[int, int], output: tuple[int, ...]
) -> keras.Model:
    """Give a user's model the inputs and output shape of the named networks."""
    if future[1]:
        raise ConfigurationError(
            f"network {network.name!r} takes the window alone, and the data have {future[1]} "
            "features that are known in the future; name them as unknown=, or take a named network."
        )

    inputs = forecast_inputs(past, future)
    try:
        outputs = keras.layers.Reshape(output, dtype="float32")(network(inputs[0]))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"network {network.name!r} must take windows of shape {(None, *past)} and give "
            f"{math.prod(output)} numbers, horizon x targets x quantiles: {error}"
        ) from error
    return keras.Model(inputs, outputs, name=f"{network.name}_forecast")
