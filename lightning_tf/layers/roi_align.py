"""RoIAlign: features of boxes, cut out of feature maps and brought to one size."""

from typing import Any

import keras

from lightning_tf.checks import checked_integer

ops = keras.ops


@keras.saving.register_keras_serializable("lightning_tf", name="RoIAlign")
class RoIAlign(keras.layers.Layer):  # type: ignore[misc]
    """Pools feature maps inside boxes: the second stage of Fast R-CNN and what followed it.

    A box is divided into `size` x `size` cells; a cell gets the mean of `samples` x `samples`
    points in it, each interpolated between the four nearest places of the map. Nothing is rounded
    to places, as RoI pooling (Girshick, 2015) does with its maximum. What a box has outside of the
    image counts as the edge. The interpolation is two products of matrices, with a gradient for the
    maps; boxes get none.

    Source: He et al., "Mask R-CNN", 2017, section 3, https://arxiv.org/abs/1703.06870.

    Args:
        size: Rows and columns of what is pooled; Fast R-CNN has 7.
        stride: Pixels of the input image from one place of the maps to the next.
        samples: Points along each side of a cell.
        **kwargs: As of `keras.layers.Layer`.

    Raises:
        ConfigurationError: A number is no integer of at least 1.

    Example:
        >>> maps, boxes = keras.ops.ones((1, 14, 14, 32)), [[[30.0, 40.0, 150.0, 120.0]]]
        >>> RoIAlign(7, stride=16)(maps, boxes).shape
        TensorShape([1, 1, 7, 7, 32])
    """

    def __init__(self, size: int = 7, stride: int = 16, samples: int = 2, **kwargs: Any) -> None:
        # Keras would round boxes to the compute dtype: in bfloat16 301.3 is 302.
        super().__init__(autocast=False, **kwargs)
        self.size = checked_integer("size", size, 1)
        self.stride = checked_integer("stride", stride, 1)
        self.samples = checked_integer("samples", samples, 1)

    def call(self, maps: Any, boxes: Any) -> Any:
        """Pool (batch, rows, columns, channels) to (batch, boxes, size, size, channels).

        Args:
            maps: What a network makes of the images.
            boxes: x0, y0, x1, y1 in pixels of the input images, shape (batch, boxes, 4).
        """
        maps = ops.cast(maps, self.compute_dtype)
        boxes = ops.stop_gradient(ops.cast(boxes, "float32")) / self.stride
        across = self._weights(boxes[..., 0], boxes[..., 2], ops.shape(maps)[2])
        down = self._weights(boxes[..., 1], boxes[..., 3], ops.shape(maps)[1])
        across, down = ops.cast(across, maps.dtype), ops.cast(down, maps.dtype)
        rows = ops.einsum("bkih,bhwc->bkiwc", down, maps)  # (batch, boxes, size, columns, channels)
        return ops.einsum("bkjw,bkiwc->bkijc", across, rows)

    def _weights(self, low: Any, high: Any, length: Any) -> Any:
        """Return how much each place of an axis counts for each cell, (batch, boxes, size, length).

        Args:
            low: Where boxes begin along the axis, in places, shape (batch, boxes).
            high: Where they end.
            length: Places of the axis.
        """
        points = self.size * self.samples
        shares = (ops.arange(points, dtype="float32") + 0.5) / points
        at = low[..., None] + (high - low)[..., None] * shares  # (batch, boxes, points)
        # The first place reaches from 0 to 1, its value stands in its middle.
        last = ops.cast(length - 1, "float32")
        at = ops.clip(at - 0.5, 0.0, last)
        places = ops.arange(length, dtype="float32")
        weights = ops.maximum(1.0 - ops.abs(at[..., None] - places), 0.0)
        shape = ops.shape(weights)
        cells = (shape[0], shape[1], self.size, self.samples, length)
        return ops.mean(ops.reshape(weights, cells), axis=3)

    def compute_output_shape(self, maps_shape: Any, boxes_shape: Any) -> Any:
        """Return (batch, boxes, size, size, channels)."""
        return (maps_shape[0], boxes_shape[1], self.size, self.size, maps_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        config = {"size": self.size, "stride": self.stride, "samples": self.samples}
        return {**super().get_config(), **config}
