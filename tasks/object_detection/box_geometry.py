"""Overlaps of boxes (IoU, GIoU, CIoU), in float32; a box is x0, y0, x1, y1 in pixels."""

import math
from typing import Any

import tensorflow as tf

from lightning_tf.tasks.common.reductions import reduce_sum

SMALLEST = 1e-7  # of a divisor


def box_sides(boxes: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Return widths and heights, at least 0, each of shape (...)."""
    width = tf.maximum(boxes[..., 2] - boxes[..., 0], 0.0)
    height = tf.maximum(boxes[..., 3] - boxes[..., 1], 0.0)
    return width, height


def box_areas(boxes: Any) -> tf.Tensor:
    """Return areas of shape (...); 0 for a box whose corners are swapped."""
    width, height = box_sides(boxes)
    return width * height


def intersections(one: Any, other: Any) -> tf.Tensor:
    """Return the areas that boxes share, shapes broadcast against each other."""
    width = tf.minimum(one[..., 2], other[..., 2]) - tf.maximum(one[..., 0], other[..., 0])
    height = tf.minimum(one[..., 3], other[..., 3]) - tf.maximum(one[..., 1], other[..., 1])
    return tf.maximum(width, 0.0) * tf.maximum(height, 0.0)


def box_iou(one: Any, other: Any) -> tf.Tensor:
    """Return intersection over union, shapes broadcast; 0 where both boxes are empty.

    Example:
        >>> float(box_iou(tf.constant([0.0, 0.0, 2.0, 2.0]), tf.constant([1.0, 0.0, 3.0, 2.0])))
        0.3333333432674408
    """
    shared = intersections(one, other)
    return _over(shared, box_areas(one) + box_areas(other) - shared)


def generalized_iou(one: Any, other: Any, softness: float = 0.0) -> tf.Tensor:
    """Return GIoU in (-1, 1] of pairs of boxes, which has a gradient also where none is shared.

    Source: Rezatofighi et al., "Generalized Intersection over Union", 2019,
    https://arxiv.org/abs/1902.09630.

    Args:
        one: What is learnt, shape (..., 4).
        other: What it shall be, shape (..., 4).
        softness: The share of a side of `other` within which the kink at an equal edge is rounded,
            as smooth L1 rounds that of the absolute value. With 0 it is GIoU itself.
    """
    iou, hull, union = _soft_overlap(one, other, softness)
    area = hull[0] * hull[1]
    return iou - _over(area - union, area)


def complete_iou(one: Any, other: Any, softness: float = 0.0) -> tf.Tensor:
    """Return CIoU: IoU less the distance of the centers and the difference of the shapes.

    Source: Zheng et al., "Distance-IoU Loss", 2020, https://arxiv.org/abs/1911.08287.

    Args:
        one: What is learnt, shape (..., 4).
        other: What it shall be, shape (..., 4).
        softness: As of `generalized_iou`.
    """
    iou, (width, height), _ = _soft_overlap(one, other, softness)

    # The distance of the centers, by the diagonal of the smallest box around both.
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2.0  # (..., 2)
    distance = _over(reduce_sum(apart**2, axis=-1), width**2 + height**2)

    # atan2 has a gradient where a side is 0, the quotient has none.
    (w, h), (other_w, other_h) = box_sides(one), box_sides(other)
    angle = tf.atan2(other_w, other_h + SMALLEST) - tf.atan2(w, h + SMALLEST)
    shape = (4.0 / math.pi**2) * angle**2
    weight = tf.stop_gradient(_over(shape, 1.0 - iou + shape))
    return iou - distance - weight * shape


def _soft_overlap(
    one: Any, other: Any, softness: float
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return IoU, width and height of the smallest box around both, and the area of their union."""
    smaller, larger = _smaller_and_larger_edges(one, other, softness)
    shared = box_areas(tf.concat([larger[..., :2], smaller[..., 2:]], axis=-1))
    hull = box_sides(tf.concat([smaller[..., :2], larger[..., 2:]], axis=-1))
    union = box_areas(one) + box_areas(other) - shared
    return _over(shared, union), hull, union


def _smaller_and_larger_edges(one: Any, other: Any, softness: float) -> tuple[tf.Tensor, tf.Tensor]:
    if not softness:
        return tf.minimum(one, other), tf.maximum(one, other)

    # Half of their sum, less and plus half of their distance, which is rounded near 0.
    within = softness * tf.stack(box_sides(other) * 2, axis=-1)  # (..., 4) by x, y, x, y
    within = tf.maximum(within, SMALLEST)
    apart = tf.abs(one - other)  # (..., 4)
    near = tf.minimum(apart, within)
    distance = near * (apart - near / 2.0) / within  # never squares what lies far apart
    return (one + other - distance) / 2.0, (one + other + distance) / 2.0


def _over(part: Any, whole: Any) -> tf.Tensor:
    return part / tf.maximum(whole, SMALLEST)
