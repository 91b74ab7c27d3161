"""Boxes of other formats as xyxy in pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import ConfigurationError

BOX_FORMATS = ("xyxy", "xywh", "center_xywh", "rel_xyxy", "rel_xywh", "rel_center_xywh")
"""Keras' names: of corners, of corner and size, of center and size; ``rel_``: as fractions."""


def to_xyxy(boxes: Any, box_format: str, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return boxes as xyxy in pixels.

    Args:
        boxes: Shape (objects, 4).
        box_format: One of `BOX_FORMATS`.
        size: Height and width of the image.

    Example:
        >>> to_xyxy([[0.5, 0.5, 0.5, 1.0]], "rel_center_xywh", (10, 20)).tolist()
        [[5.0, 0.0, 15.0, 10.0]]
    """
    array: NDArray[np.float64] = np.asarray(boxes, np.float64).reshape(-1, 4)
    if box_format not in BOX_FORMATS:
        raise ConfigurationError(
            f"box_format is {box_format!r}; give one of {', '.join(BOX_FORMATS)}."
        )
    if box_format.startswith("rel_"):
        array = array * np.array([size[1], size[0], size[1], size[0]])

    kind = box_format.removeprefix("rel_")
    if kind == "xyxy":
        return array
    corner, extent = array[:, :2], array[:, 2:]
    if kind == "center_xywh":
        corner = corner - extent / 2
    return np.concatenate([corner, corner + extent], axis=1)
