"""BoxCoding: a box as what must be added to its anchor, and back."""

import math
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.object_detection.box_geometry import SMALLEST

LARGEST_LOG = math.log(1000.0 / 16.0)  # of a side over its anchor's: no exp overflows


class BoxCoding:
    """Offsets of centers in units of the anchor's sides, and logarithms of the sides' quotients.

    Computes in float32. The logarithm is clipped before its exp, so that a network that has just
    been made cannot overflow, in decoding alone.

    Source: Ren et al., "Faster R-CNN", 2015, section 3.1.2, https://arxiv.org/abs/1506.01497.

    Args:
        variances: What one unit of an offset and of a logarithm is worth: (1, 1), or (0.1, 0.2)
            as in SSD's code.

    Example:
        >>> coding = BoxCoding()
        >>> coding.decode(tf.zeros([1, 4]), tf.constant([[0.0, 0.0, 4.0, 2.0]])).numpy().tolist()
        [[0.0, 0.0, 4.0, 2.0]]
    """

    def __init__(self, variances: tuple[float, float] = (1.0, 1.0)) -> None:
        self.variances = variances

    def encode(self, boxes: Any, anchors: Any) -> tf.Tensor:
        """Return deltas (..., 4) of boxes (..., 4) whose sides are positive."""
        centers, sides = _center_form(boxes)
        anchor_centers, anchor_sides = _center_form(anchors)
        offsets = (centers - anchor_centers) / anchor_sides / self.variances[0]  # (..., 2)
        quotients = tf.maximum(sides, SMALLEST) / anchor_sides
        logarithms = tf.math.log(quotients) / self.variances[1]  # (..., 2)
        return tf.concat([offsets, logarithms], axis=-1)

    def decode(self, deltas: Any, anchors: Any) -> tf.Tensor:
        """Return boxes (..., 4) of deltas (..., 4), not clipped to the image."""
        deltas = tf.cast(deltas, tf.float32)
        centers, sides = _center_form(anchors)
        logarithms = tf.minimum(deltas[..., 2:] * self.variances[1], LARGEST_LOG)
        half = sides * tf.exp(logarithms) / 2.0  # (..., 2)
        centers = centers + deltas[..., :2] * self.variances[0] * sides
        return tf.concat([centers - half, centers + half], axis=-1)


def _center_form(boxes: Any) -> tuple[tf.Tensor, tf.Tensor]:
    boxes = tf.cast(boxes, tf.float32)
    return (boxes[..., :2] + boxes[..., 2:]) / 2.0, boxes[..., 2:] - boxes[..., :2]
