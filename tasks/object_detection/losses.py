"""Losses of classes and boxes, each a sum over anchors, in float32."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from lightning_tf.checks import check_known
from lightning_tf.tasks.common.reductions import reduce_sum
from lightning_tf.tasks.object_detection.box_geometry import complete_iou, generalized_iou
from lightning_tf.tasks.object_detection.matching import Matches

FOCAL_ALPHA = 0.25
FOCAL_GAMMA = 2.0
NEGATIVES_A_POSITIVE = 3
RAMP = 0.1  # of the last hard negative's loss: around it negatives count in part
EDGE_SOFTNESS = 0.05  # of GIoU and CIoU, in sides of the object
SMOOTH_L1_BETA = 1.0 / 9.0  # where smooth L1 turns from square to line, in units of the deltas


def focal_loss(logits: Any, matches: Matches) -> tf.Tensor:
    """Return the sigmoid focal loss of classes, summed over anchors: shape (batch,).

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017,
    https://arxiv.org/abs/1708.02002.

    Args:
        logits: Float32 (batch, anchors, classes).
        matches: What each anchor learns.
    """
    targets = tf.one_hot(
        matches.labels, logits.shape[-1], dtype=tf.float32
    )  # (batch, anchors, classes)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)

    # exp(-entropy) is the probability that was given to what is true.
    hardness = (1.0 - tf.exp(-entropy)) ** FOCAL_GAMMA
    balance = targets * FOCAL_ALPHA + (1.0 - targets) * (1.0 - FOCAL_ALPHA)
    losses = reduce_sum(balance * hardness * entropy, axis=-1)  # (batch, anchors)
    counts = tf.logical_or(matches.positive, matches.negative)
    return reduce_sum(tf.where(counts, losses, 0.0), axis=-1)


def hard_negative_softmax(logits: Any, matches: Matches) -> tf.Tensor:
    """Return the softmax cross entropy of positives and hardest negatives: shape (batch,).

    An image counts three negatives for each positive, those with the greatest loss, and three
    where it has no positive. Around the last one the choice is gradual; see `_hardest`.

    Source: Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.2,
    https://arxiv.org/abs/1512.02325.

    Args:
        logits: Float32 (batch, anchors, classes + 1), the background last.
        matches: What each anchor learns.
    """
    background = logits.shape[-1] - 1
    labels = tf.where(matches.positive, matches.labels, background)  # (batch, anchors)
    # Flat as TensorFlow would make them, which also compares shapes, at a wait for the device.
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.reshape(labels, [-1]), tf.reshape(logits, [-1, logits.shape[-1]])
    )
    losses = tf.reshape(losses, tf.shape(labels))  # (batch, anchors)

    found = reduce_sum(tf.where(matches.positive, losses, 0.0), axis=-1)
    wanted = NEGATIVES_A_POSITIVE * positive_counts(matches)  # (batch,)
    weights = _hardest(tf.stop_gradient(tf.where(matches.negative, losses, -1.0)), wanted)
    return found + reduce_sum(weights * losses, axis=-1)


def _hardest(losses: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Return weights (batch, anchors) that select about the `wanted` greatest losses.

    Those near the last of them count in part, and all weights add up to `wanted`. Were each in or
    out, a difference in the last bit, as between one device and several, would now and then choose
    another negative, which has another gradient.

    Args:
        losses: Of negatives; -1 for the rest, (batch, anchors).
        wanted: How many, float32 (batch,).
    """
    is_negative = losses >= 0.0
    count = tf.reduce_sum(tf.cast(is_negative, tf.float32), axis=-1)  # (batch,)
    wanted = tf.minimum(wanted, count)
    last = tf.cast(tf.maximum(wanted, 1.0), tf.int64)[:, tf.newaxis] - 1
    descending = tf.sort(losses, axis=-1, direction="DESCENDING")
    threshold = tf.maximum(tf.gather(descending, last, axis=1, batch_dims=1), 1e-6)  # (batch, 1)

    weights = tf.clip_by_value((losses / threshold - 1.0) / RAMP + 0.5, 0.0, 1.0)
    weights = tf.where(is_negative, weights, 0.0)  # (batch, anchors)
    total = tf.reduce_sum(weights, axis=-1, keepdims=True)
    return weights * wanted[:, tf.newaxis] / tf.maximum(total, 1e-6)


def smooth_l1(deltas: Any, targets: Any) -> tf.Tensor:
    """Return the smooth L1 loss of coded boxes, summed over the four numbers: shape (...).

    Source: Girshick, "Fast R-CNN", 2015, https://arxiv.org/abs/1504.08083.
    """
    apart = tf.abs(deltas - targets)
    square = 0.5 * apart**2 / SMOOTH_L1_BETA
    return reduce_sum(tf.where(apart < SMOOTH_L1_BETA, square, apart - SMOOTH_L1_BETA / 2.0), -1)


def positive_counts(matches: Matches) -> tf.Tensor:
    """Return the positives of each image, at least 1: float32 (batch,)."""
    counts = tf.reduce_sum(tf.cast(matches.positive, tf.float32), axis=-1)
    return tf.maximum(counts, 1.0)


CLASS_LOSSES: dict[str, Callable[[Any, Matches], tf.Tensor]] = {
    "focal": focal_loss,
    "softmax": hard_negative_softmax,
}
# Sharp, a difference in the last bit, as between one device and several, would now and then turn an
# edge's gradient around, and Adam would carry that into every weight.
OVERLAPS: dict[str, Callable[[Any, Any], tf.Tensor]] = {
    "giou": partial(generalized_iou, softness=EDGE_SOFTNESS),
    "ciou": partial(complete_iou, softness=EDGE_SOFTNESS),
}
BOX_LOSSES = ("giou", "ciou", "smooth_l1")
DEFAULTS = {"retinanet": ("focal", "giou"), "ssd": ("softmax", "smooth_l1")}


def chosen_losses(head: str, class_loss: str | None, box_loss: str | None) -> tuple[str, str]:
    """Return the losses that a user named, or those of the head's paper.

    Raises:
        ConfigurationError: A name is unknown.
    """
    defaults = DEFAULTS[head]
    class_loss = defaults[0] if class_loss is None else class_loss
    box_loss = defaults[1] if box_loss is None else box_loss
    check_known(f"class_loss={class_loss!r}", class_loss, CLASS_LOSSES)
    check_known(f"box_loss={box_loss!r}", box_loss, BOX_LOSSES)
    return class_loss, box_loss
