"""An N-BEATS-like network for time series."""

from typing import Any

import keras

from lightning_tf.tasks.networks.forecast.layers import ForecastLayers, concatenate

HIDDEN = 4  # dense layers of a block, as in the paper


def forecast_nbeats(past: Any, more: Any, count: int, layers: ForecastLayers) -> Any:
    """Stack blocks that each explain a part of the window and add a part of the forecast.

    The generic architecture of Oreshkin, Carpov, Chapados and Bengio, "N-BEATS", 2020,
    https://arxiv.org/abs/1905.10437: what a block explains is taken off the next one's input. Here
    the window may have several channels, and what is known of the future enters every block.

    Args:
        past: As of `forecast_mlp`.
        more: As of `forecast_mlp`.
        count: As of `forecast_mlp`.
        layers: Makes the layers; `depth` is the number of blocks.

    Returns:
        Float32 of shape (batch, count).
    """
    left = keras.layers.Flatten()(past)  # (batch, rows * channels)
    forecasts = []
    for number in range(layers.depth):
        x = concatenate(left, more)
        for _ in range(HIDDEN):
            x = layers.dense(x)

        forecasts.append(layers.outputs(x, count, name=f"forecast_{number}"))
        if number < layers.depth - 1:  # the last block's rest is nobody's input
            explained = keras.layers.Dense(left.shape[-1], name=f"backcast_{number}")(x)
            left = keras.layers.Subtract()([left, explained])

    if len(forecasts) == 1:
        return forecasts[0]
    return keras.layers.Add(dtype="float32", name="outputs")(forecasts)
