"""The networks for time series by their names."""

import math
from collections.abc import Callable
from typing import Any

import keras

from lightning_tf.tasks.networks.forecast.convolution import forecast_convolution
from lightning_tf.tasks.networks.forecast.layers import ForecastLayers, concatenate
from lightning_tf.tasks.networks.forecast.mlp import forecast_mlp
from lightning_tf.tasks.networks.forecast.nbeats import forecast_nbeats
from lightning_tf.tasks.networks.forecast.recurrent import forecast_recurrent

RECURRENT = ("rnn", "gru", "lstm")
FORECAST_NETWORKS: dict[str, Callable[[Any, Any, int, ForecastLayers], Any]] = {
    "mlp": forecast_mlp,
    **{kind: forecast_recurrent(kind) for kind in RECURRENT},
    "cnn": forecast_convolution,
    "nbeats": forecast_nbeats,
}
SERIES_SIZE = 8  # values that stand for one of several series


def build_forecast_network(
    name: str,
    past: tuple[int, int],
    future: tuple[int, int],
    output: tuple[int, ...],
    layers: ForecastLayers,
    series: int = 1,
) -> keras.Model:
    """Build a network from windows to forecasts.

    Args:
        name: A key of `FORECAST_NETWORKS`.
        past: Rows and channels of the window.
        future: Rows and known features of what is forecast; no features, no input.
        output: The shape of one forecast.
        layers: Makes the layers.
        series: Several series share the network, which then learns a vector for each.

    Returns:
        A Functional model from ``[past, future, series]`` (float, float, int32) to float32 of shape
        (batch, *output).

    Example:
        >>> build_forecast_network("gru", (60, 1), (5, 0), (5, 1), ForecastLayers(8)).output_shape
        (None, 5, 1)
    """
    inputs = forecast_inputs(past, future)
    more = keras.layers.Flatten()(inputs[1]) if future[1] else None  # (batch, rows * features)
    if series > 1:
        embedded = keras.layers.Embedding(series, SERIES_SIZE)(inputs[2])  # (batch, SERIES_SIZE)
        more = embedded if more is None else concatenate(more, embedded)

    outputs = FORECAST_NETWORKS[name](inputs[0], more, math.prod(output), layers)
    outputs = keras.layers.Reshape(output, dtype="float32")(outputs)
    return keras.Model(inputs, outputs, name=name)


def forecast_inputs(past: tuple[int, int], future: tuple[int, int]) -> list[Any]:
    """Return the Keras inputs of a model: past, future and series; shapes without the batch."""
    return [
        keras.Input(past, dtype="float32", name="past"),
        keras.Input(future, dtype="float32", name="future"),
        keras.Input((), dtype="int32", name="series"),
    ]
