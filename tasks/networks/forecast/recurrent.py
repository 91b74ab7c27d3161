"""Recurrent networks for time series."""

from collections.abc import Callable
from typing import Any

import keras

from lightning_tf.tasks.networks.forecast.layers import ForecastLayers, concatenate

KINDS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def forecast_recurrent(kind: str) -> Callable[[Any, Any, int, ForecastLayers], Any]:
    """Return a builder of stacked recurrent layers whose last state gives the forecast.

    All steps are forecast at once (direct forecasting), so that training feeds nothing back.
    Sources: Elman, "Finding Structure in Time", 1990,
    https://doi.org/10.1207/s15516709cog1402_1 (rnn); Cho et al., 2014,
    https://arxiv.org/abs/1406.1078 (gru); Hochreiter and Schmidhuber, 1997,
    https://doi.org/10.1162/neco.1997.9.8.1735 (lstm); Schuster and Paliwal, 1997,
    https://doi.org/10.1109/78.650093 (bidirectional).

    Args:
        kind: rnn, gru or lstm.

    Returns:
        A function from (past, more, count, layers), as `forecast_mlp`.
    """

    def network(past: Any, more: Any, count: int, layers: ForecastLayers) -> Any:
        x = past
        for number in range(layers.depth):
            inner = number < layers.depth - 1  # all but the last layer give every row's state
            layer = KINDS[kind](layers.units, return_sequences=inner, unroll=bool(layers.unroll))
            x = layers.drop(
                (keras.layers.Bidirectional(layer) if layers.bidirectional else layer)(x)
            )
        if more is not None:
            x = layers.dense(concatenate(x, more))
        return layers.outputs(x, count)

    return network
