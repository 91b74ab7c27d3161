"""match_anchors: which object each anchor learns, or that it shall find none."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lightning_tf.tasks.object_detection.box_geometry import (
    SMALLEST,
    box_areas,
    box_iou,
    intersections,
)

POSITIVE_IOU = 0.5
NEGATIVE_IOU = 0.4
IGNORED_SHARE = 0.5  # of an anchor inside an ignored object, which may be a crowd of small ones


class Matches(NamedTuple):
    """What each anchor of each image learns.

    Attributes:
        boxes: Of its object, or the anchor itself where it has none; float32 (batch, anchors, 4).
        labels: Of its object, int64 (batch, anchors); -1 where it has none.
        positive: Whether it has an object, bool (batch, anchors).
        negative: Whether it shall find nothing, bool (batch, anchors); anchors of neither kind
            learn nothing.
    """

    boxes: tf.Tensor
    labels: tf.Tensor
    positive: tf.Tensor
    negative: tf.Tensor


def match_anchors(
    anchors: Any,
    objects: dict[str, Any],
    positive_iou: float = POSITIVE_IOU,
    negative_iou: float = NEGATIVE_IOU,
) -> Matches:
    """Match anchors and the objects of each image.

    An anchor learns the object that it overlaps most, where that is at least `positive_iou`. The
    anchor that overlaps an object most learns it, however little that is: no object is without one
    unless another object, which overlaps the same anchor more, has it. Of equal overlaps the first
    counts. Padding, empty boxes and ignored objects are learnt by nobody, and an anchor over an
    ignored object is not taught that there is nothing.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, section 4,
    https://arxiv.org/abs/1708.02002.

    Args:
        anchors: Boxes, float32 (anchors, 4).
        objects: ``boxes`` float32 (batch, objects, 4), ``labels`` int (batch, objects), -1 for
            padding, and ``ignored`` bool (batch, objects), which may be left out.
        positive_iou: From here on an anchor has an object.
        negative_iou: Below, it has none.
    """
    anchors, boxes = tf.cast(anchors, tf.float32), tf.cast(objects["boxes"], tf.float32)
    # A GPU compares int32 on the host.
    labels = tf.cast(objects["labels"], tf.int64)  # (batch, objects)
    exists = tf.logical_and(labels >= 0, box_areas(boxes) > 0.0)  # (batch, objects)
    ignored = objects.get("ignored")
    ignored = tf.zeros_like(exists) if ignored is None else tf.logical_and(ignored, exists)
    real = tf.logical_and(exists, tf.logical_not(ignored))
    # One row more, which is no object: an image without objects has something to choose from.
    boxes = tf.pad(boxes, [[0, 0], [0, 1], [0, 0]])
    labels = tf.concat([labels, tf.fill([tf.shape(labels)[0], 1], np.int64(-1))], axis=1)
    real, ignored = (tf.pad(mask, [[0, 0], [0, 1]]) for mask in (real, ignored))

    iou = box_iou(boxes[:, :, tf.newaxis], anchors)  # (batch, objects, anchors)
    known = tf.where(real[..., tf.newaxis], iou, -1.0)
    most = tf.reduce_max(known, axis=1)  # (batch, anchors)
    forced = _forced(known)  # (batch, objects, anchors)
    is_forced = tf.reduce_any(forced, axis=1)
    chosen = tf.where(
        is_forced,
        tf.argmax(tf.where(forced, known, -1.0), axis=1, output_type=tf.int32),
        tf.argmax(known, axis=1, output_type=tf.int32),
    )  # (batch, anchors)

    positive = tf.logical_or(most >= positive_iou, is_forced)
    beside = _over_ignored(anchors, boxes, ignored, iou, negative_iou)
    negative = (most < negative_iou) & ~positive & ~beside
    # The anchor itself where there is no object: nothing that is masked later may make a NaN.
    matched = tf.gather(boxes, chosen, axis=1, batch_dims=1)  # (batch, anchors, 4)
    matched = tf.where(positive[..., tf.newaxis], matched, anchors)
    matched_labels = tf.gather(labels, chosen, axis=1, batch_dims=1)  # (batch, anchors)
    return Matches(matched, tf.where(positive, matched_labels, -1), positive, negative)


def _forced(known: tf.Tensor) -> tf.Tensor:
    """Return whether an anchor is the best of a real object, which it overlaps at all."""
    best = tf.argmax(known, axis=2)  # (batch, objects)
    is_best = tf.one_hot(best, tf.shape(known)[2], True, False)  # (batch, objects, anchors)
    return tf.logical_and(is_best, known > 0.0)


def _over_ignored(
    anchors: tf.Tensor, boxes: tf.Tensor, ignored: tf.Tensor, iou: tf.Tensor, least: float
) -> tf.Tensor:
    """Return whether an anchor lies over an ignored object, (batch, anchors)."""
    shared = intersections(boxes[:, :, tf.newaxis], anchors)  # (batch, objects, anchors)
    inside = shared / tf.maximum(box_areas(anchors), SMALLEST) >= IGNORED_SHARE
    over = tf.logical_or(iou >= least, inside)
    return tf.reduce_any(tf.logical_and(over, ignored[..., tf.newaxis]), axis=1)
