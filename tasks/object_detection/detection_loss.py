"""DetectionLoss: what a detector's raw outputs are worth, a mean over images."""

from typing import Any

import tensorflow as tf

from lightning_tf.tasks.common.reductions import reduce_sum
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.losses import (
    CLASS_LOSSES,
    OVERLAPS,
    positive_counts,
    smooth_l1,
)
from lightning_tf.tasks.object_detection.matching import Matches, match_anchors

OVERLAP_WEIGHT = 2.0  # GIoU and CIoU lie in [-1, 1], smooth L1 sums four numbers


class DetectionLoss:
    """The loss of classes and the loss of boxes, of raw outputs and objects.

    Each image is divided by its own positives, and the mean is over images: so the loss is a mean
    over examples, and several replicas or an accumulation make the same update as one batch.
    Divided by the positives of the whole batch, as RetinaNet and SSD do, they would not.

    Args:
        anchors: Boxes, float32 array (anchors, 4).
        coding: How boxes are coded.
        class_loss: ``focal`` or ``softmax``.
        box_loss: ``giou``, ``ciou`` or ``smooth_l1``.

    Example:
        >>> losses = DetectionLoss(anchors.boxes, BoxCoding(), "focal", "giou")(raw, objects)
        >>> sorted(losses)
        ['box_loss', 'class_loss']
    """

    def __init__(self, anchors: Any, coding: BoxCoding, class_loss: str, box_loss: str) -> None:
        self.anchors, self.coding = anchors, coding
        self.class_loss, self.box_loss = class_loss, box_loss

    def __call__(self, raw: dict[str, Any], objects: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Return ``class_loss`` and ``box_loss``, float32 scalars.

        Args:
            raw: A detector's ``classes`` (batch, anchors, classes) and ``boxes`` (batch, anchors,
                4).
            objects: As of `match_anchors`.
        """
        matches = match_anchors(self.anchors, objects)
        positives = positive_counts(matches)  # (batch,)
        logits = tf.cast(raw["classes"], tf.float32)
        classes = CLASS_LOSSES[self.class_loss](logits, matches)  # (batch,)
        boxes = self._box_losses(tf.cast(raw["boxes"], tf.float32), matches)  # (batch,)
        return {
            "class_loss": tf.reduce_mean(classes / positives),
            "box_loss": tf.reduce_mean(boxes / positives),
        }

    def _box_losses(self, deltas: tf.Tensor, matches: Matches) -> tf.Tensor:
        # Masked before the loss and after it: an infinite loss times 0 would be NaN backwards.
        deltas = tf.where(matches.positive[..., tf.newaxis], deltas, 0.0)  # (batch, anchors, 4)
        if self.box_loss == "smooth_l1":
            losses = smooth_l1(deltas, self.coding.encode(matches.boxes, self.anchors))
        else:
            boxes = self.coding.decode(deltas, self.anchors)  # (batch, anchors, 4)
            losses = OVERLAP_WEIGHT * (1.0 - OVERLAPS[self.box_loss](boxes, matches.boxes))
        return reduce_sum(tf.where(matches.positive, losses, 0.0), axis=-1)
