"""A feed-forward network for time series."""

from typing import Any

import keras

from lightning_tf.tasks.networks.forecast.layers import ForecastLayers, concatenate


def forecast_mlp(past: Any, more: Any, count: int, layers: ForecastLayers) -> Any:
    """Pass the flattened window through hidden layers.

    Source: Zhang, Patuwo and Hu, "Forecasting with Artificial Neural Networks: the State of the
    Art", 1998, https://doi.org/10.1016/S0169-2070(97)00044-7.

    Args:
        past: Float of shape (batch, rows, channels).
        more: Float of shape (batch, features): what is known of the future; or None.
        count: How many numbers to give.
        layers: Makes the layers.

    Returns:
        Float32 of shape (batch, count).
    """
    x = concatenate(keras.layers.Flatten()(past), more)
    for _ in range(layers.depth):
        x = layers.dense(x)
    return layers.outputs(x, count)
