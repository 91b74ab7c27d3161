"""A one-dimensional convolutional network for time series."""

from typing import Any

import keras

from lightning_tf.tasks.networks.forecast.layers import ForecastLayers, concatenate

KERNEL = 3


def forecast_convolution(past: Any, more: Any, count: int, layers: ForecastLayers) -> Any:
    """Stack causal convolutions, each twice as wide, until one value sees the whole window.

    Source: Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent
    Networks for Sequence Modeling", 2018, https://arxiv.org/abs/1803.01271. Here the layers go on
    beyond `depth` until the last place sees every row.

    Args:
        past: As of `forecast_mlp`.
        more: As of `forecast_mlp`.
        count: As of `forecast_mlp`.
        layers: Makes the layers.

    Returns:
        Float32 of shape (batch, count).
    """
    x, reach, dilation, number = past, 1, 1, 0
    # `reach` is how many rows the last one's value depends on.
    while reach < past.shape[1] or number < layers.depth:
        convolution = keras.layers.Conv1D(
            layers.units, KERNEL, padding="causal", dilation_rate=dilation, activation="relu"
        )
        y = layers.drop(convolution(x))
        x = keras.layers.Add()([x, y]) if number else y  # residual, where the channels agree
        reach += (KERNEL - 1) * dilation
        # Further layers, up to `depth`, need no more reach.
        dilation = dilation * 2 if reach < past.shape[1] else 1
        number += 1

    x = concatenate(x[:, -1], more)  # (batch, units), of the last row
    return layers.outputs(layers.dense(x) if more is not None else x, count)
