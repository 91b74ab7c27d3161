"""ForecastLayers: the layers that networks for time series share."""

from typing import Any

import keras

from lightning_tf.checks import checked_fraction, checked_integer


class ForecastLayers:
    """Sizes and options of a network that reads a window of a series.

    Args:
        units: Of each hidden layer.
        depth: How many hidden layers are stacked; blocks of ``nbeats``.
        dropout: The rate behind each hidden layer, 0 <= dropout < 1.
        bidirectional: Whether recurrent layers read the window from both ends.
        unroll: Whether recurrent layers are written out step by step: faster on a CPU and slower on
            a GPU, and it takes seconds more to trace. None is not decided yet, and a loop.

    Raises:
        ConfigurationError: A number is out of range.

    Example:
        >>> ForecastLayers(units=16).dense(keras.Input((8,))).shape
        (None, 16)
    """

    def __init__(
        self,
        units: int = 64,
        depth: int = 2,
        dropout: float = 0.0,
        *,
        bidirectional: bool = False,
        unroll: bool | None = None,
    ) -> None:
        self.units = checked_integer("units", units, least=1)
        self.depth = checked_integer("depth", depth, least=1)
        self.dropout = checked_fraction("dropout", dropout)
        self.bidirectional, self.unroll = bidirectional, unroll

    def drop(self, x: Any) -> Any:
        """Drop values in training, where the rate is not 0."""
        return keras.layers.Dropout(self.dropout)(x) if self.dropout else x

    def dense(self, x: Any) -> Any:
        """Add a hidden layer."""
        return self.drop(keras.layers.Dense(self.units, activation="relu")(x))

    def outputs(self, x: Any, count: int, name: str = "outputs") -> Any:
        """Add outputs in float32, also under mixed precision."""
        return keras.layers.Dense(count, dtype="float32", name=name)(x)


def concatenate(x: Any, more: Any) -> Any:
    """Concatenate features with more of them, where there are any."""
    return x if more is None else keras.layers.Concatenate()([x, more])
