"""TrainablePicture: a picture whose pixels are the weights of a layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


class TrainablePicture(keras.layers.Layer):  # type: ignore[misc]
    """Gives its picture, whatever it is called with.

    The picture is float32 under every precision; what looks at it may compute in less. Pixels that
    an update moves out of [0, 1] are put back to the nearest end.

    Args:
        start: Float in [0, 1], shape (1, height, width, 3).

    Example:
        >>> TrainablePicture(np.zeros((1, 8, 8, 3), "float32"))(None).shape
        TensorShape([1, 8, 8, 3])
    """

    def __init__(self, start: NDArray[np.float32]) -> None:
        super().__init__(name="picture")
        self.pixels = self.add_weight(
            shape=start.shape,
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(start, dtype),
            constraint=InUnit(),
            autocast=False,
            name="pixels",
        )
        self.built = True

    def call(self, batch: Any) -> Any:
        """The picture, shape (1, height, width, 3)."""
        return keras.ops.convert_to_tensor(self.pixels)


class InUnit(keras.constraints.Constraint):  # type: ignore[misc]
    """Clips to [0, 1]."""

    def __call__(self, weight: Any) -> Any:
        """The nearest values in [0, 1]."""
        return keras.ops.clip(weight, 0.0, 1.0)
