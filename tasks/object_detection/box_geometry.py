"""Overlaps of boxes (IoU, GIoU, CIoU), in float32; a box is x0, y0, x1, y1 in pixels."""

import math
from typing import Any

import tensorflow as tf

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


def generalized_iou(one: Any, other: Any) -> tf.Tensor:
    """Return GIoU in (-1, 1] of pairs of boxes, which has a gradient also where none is shared.

    Source: Rezatofighi et al., "Generalized Intersection over Union", 2019,
    https://arxiv.org/abs/1902.09630.
    """
    shared = intersections(one, other)
    union = box_areas(one) + box_areas(other) - shared
    hull = box_areas(_hull(one, other))
    return _over(shared, union) - _over(hull - union, hull)


def complete_iou(one: Any, other: Any) -> tf.Tensor:
    """Return CIoU: IoU less the distance of the centers and the difference of the shapes.

    Source: Zheng et al., "Distance-IoU Loss", 2020, https://arxiv.org/abs/1911.08287.

    Args:
        one: What is learnt, shape (..., 4).
        other: What it shall be, shape (..., 4).
    """
    iou = box_iou(one, other)

    # The distance of the centers, by the diagonal of the smallest box around both.
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2.0  # (..., 2)
    width, height = box_sides(_hull(one, other))
    distance = _over(tf.reduce_sum(apart**2, axis=-1), width**2 + height**2)

    # atan2 has a gradient where a side is 0, the quotient has none.
    (w, h), (other_w, other_h) = box_sides(one), box_sides(other)
    angle = tf.atan2(other_w, other_h + SMALLEST) - tf.atan2(w, h + SMALLEST)
    shape = (4.0 / math.pi**2) * angle**2
    weight = tf.stop_gradient(_over(shape, 1.0 - iou + shape))
    return iou - distance - weight * shape


def _hull(one: Any, other: Any) -> tf.Tensor:
    low = tf.minimum(one[..., :2], other[..., :2])
    high = tf.maximum(one[..., 2:], other[..., 2:])
    return tf.concat([low, high], axis=-1)


def _over(part: Any, whole: Any) -> tf.Tensor:
    return part / tf.maximum(whole, SMALLEST)
