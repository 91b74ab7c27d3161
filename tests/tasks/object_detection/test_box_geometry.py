"""Overlaps and coding of boxes, against plain Python."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.object_detection.box_coding import LARGEST_LOG, BoxCoding
from lightning_tf.tasks.object_detection.box_geometry import (
    box_iou,
    complete_iou,
    generalized_iou,
)
from lightning_tf.tasks.object_detection.losses import OVERLAPS

ROUNDED = list(OVERLAPS.values())


def random_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 50, (count, 2))
    return np.concatenate([corner, corner + random.uniform(2, 40, (count, 2))], 1).astype("float32")


def by_hand(a, b):
    """Return IoU, GIoU and CIoU of two boxes."""
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    union = area_a + area_b - w * h
    iou = w * h / union
    hull_w, hull_h = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    giou = iou - (hull_w * hull_h - union) / (hull_w * hull_h)
    dx, dy = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    angle = math.atan((b[2] - b[0]) / (b[3] - b[1])) - math.atan((a[2] - a[0]) / (a[3] - a[1]))
    v = 4 / math.pi**2 * angle**2
    ciou = iou - (dx**2 + dy**2) / (hull_w**2 + hull_h**2) - v * v / (1 - iou + v)
    return iou, giou, ciou


def test_overlaps_are_those_worked_out_by_hand():
    one, other = random_boxes(200), random_boxes(200, seed=1)
    expected = np.array([by_hand(*pair) for pair in zip(one.tolist(), other.tolist(), strict=True)])
    results = [f(one, other) for f in (box_iou, generalized_iou, complete_iou)]
    np.testing.assert_allclose(np.stack(results, 1), expected, atol=2e-6)


@pytest.mark.parametrize("overlap", [box_iou, generalized_iou, complete_iou, *ROUNDED])
def test_equal_boxes_overlap_wholly_and_empty_ones_give_numbers(overlap):
    boxes = tf.constant([[1.0, 2.0, 5.0, 9.0], [3.0, 3.0, 3.0, 3.0], [5.0, 5.0, 2.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        result = overlap(boxes, boxes)
    assert float(result[0]) == pytest.approx(1.0)
    assert np.isfinite(result).all()
    assert np.isfinite(tape.gradient(result, boxes)).all()


@pytest.mark.parametrize("kind", ["giou", "ciou"])
def test_a_rounded_overlap_is_the_sharp_one_but_for_near_edges(kind):
    sharp, rounded = {"giou": generalized_iou, "ciou": complete_iou}[kind], OVERLAPS[kind]
    one, other = random_boxes(200), random_boxes(200, seed=1)
    for softness in (1e-3, 1e-4):
        soft = sharp(one, other, softness)
        np.testing.assert_allclose(soft, sharp(one, other), atol=2 * softness)
    assert float(tf.reduce_max(rounded(one, other))) <= 1.0
    near = other + np.random.default_rng(2).normal(size=other.shape).astype("float32") * 0.05
    assert float(tf.reduce_max(rounded(near, other))) <= 1.0


@pytest.mark.parametrize("overlap", ROUNDED)
def test_a_difference_in_the_last_bit_turns_no_edge_around(overlap):
    objects = random_boxes(200)
    gradients = []
    for sign in (-1.0, 1.0):
        boxes = tf.constant(objects + sign * 1e-5)
        with tf.GradientTape() as tape:
            tape.watch(boxes)
            loss = tf.reduce_sum(overlap(boxes, objects))
        gradients.append(tape.gradient(loss, boxes).numpy())
    # Of the sharp ones an edge has a gradient of about 1 / side, 0.02 to 0.5, on either side.
    np.testing.assert_allclose(*gradients, atol=2e-3)


@pytest.mark.parametrize("variances", [(1.0, 1.0), (0.1, 0.2)])
def test_a_box_comes_back_from_its_deltas(variances):
    coding, boxes, anchors = BoxCoding(variances), random_boxes(100), random_boxes(100, seed=1)
    deltas = coding.encode(boxes, anchors)
    np.testing.assert_allclose(coding.decode(deltas, anchors), boxes, atol=1e-4)
    center = (boxes[:, 0] + boxes[:, 2] - anchors[:, 0] - anchors[:, 2]) / 2
    width = anchors[:, 2] - anchors[:, 0]
    np.testing.assert_allclose(deltas[:, 0], center / width / variances[0], rtol=1e-3, atol=1e-5)
    quotient = np.log((boxes[:, 3] - boxes[:, 1]) / (anchors[:, 3] - anchors[:, 1]))
    np.testing.assert_allclose(deltas[:, 3], quotient / variances[1], rtol=1e-3, atol=1e-5)


def test_wild_deltas_do_not_overflow():
    anchors = tf.constant([[0.0, 0.0, 10.0, 10.0]])
    boxes = BoxCoding().decode(tf.constant([[0.0, 0.0, 1e4, -1e4]]), anchors)
    assert np.isfinite(boxes).all()
    assert float(boxes[0, 2] - boxes[0, 0]) == pytest.approx(10.0 * math.exp(LARGEST_LOG), rel=1e-5)
