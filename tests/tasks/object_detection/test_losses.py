"""Losses of classes and boxes, against NumPy, and their gradients, against differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.object_detection.anchors import Anchors, retinanet_sizes
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.box_geometry import complete_iou
from lightning_tf.tasks.object_detection.detection_loss import DetectionLoss
from lightning_tf.tasks.object_detection.losses import (
    focal_loss,
    hard_negative_softmax,
    smooth_l1,
)
from lightning_tf.tasks.object_detection.matching import Matches, match_anchors

ANCHORS = Anchors((32, 32), (3, 4), retinanet_sizes((3, 4), 2.0)).boxes
BATCH, CLASSES = 4, 3
BOTH = [("focal", "giou"), ("focal", "ciou"), ("focal", "smooth_l1"), ("softmax", "smooth_l1")]


def objects(empty=False):
    boxes = np.zeros((BATCH, 3, 4), "float32")
    labels = np.full((BATCH, 3), -1, "int32")
    if not empty:
        boxes[0, 0], labels[0, 0] = [2, 3, 17, 14], 1
        boxes[0, 1], labels[0, 1] = [16, 12, 30, 31], 0
        boxes[1, 0], labels[1, 0] = [5, 5, 25, 20], 2
        boxes[3, 0], labels[3, 0] = [0, 0, 9, 9], 1
    return {"boxes": boxes, "labels": labels, "ignored": np.zeros((BATCH, 3), bool)}


def raw(classes=CLASSES, seed=0):
    random = np.random.default_rng(seed)
    shape = (BATCH, len(ANCHORS))
    return {
        "classes": random.normal(size=(*shape, classes)).astype("float32"),
        "boxes": (random.normal(size=(*shape, 4)) * 0.3).astype("float32"),
    }


def focal_by_loops(logits, matches):
    result = []
    for k in range(BATCH):
        total = 0.0
        for a in range(len(ANCHORS)):
            if not (matches.positive[k, a] or matches.negative[k, a]):
                continue
            for c in range(CLASSES):
                p = 1 / (1 + math.exp(-float(logits[k, a, c])))
                true = int(matches.labels[k, a]) == c
                p, alpha = (p, 0.25) if true else (1 - p, 0.75)
                total -= alpha * (1 - p) ** 2 * math.log(p)
        result.append(total)
    return result


def hard_negatives_by_loops(logits, matches, ramp=0.1):
    result = []
    for k in range(BATCH):
        total, negatives, positives = 0.0, [], 0
        for a in range(len(ANCHORS)):
            row = logits[k, a].astype("float64")
            probabilities = np.exp(row) / np.exp(row).sum()
            if matches.positive[k, a]:
                positives += 1
                total -= math.log(probabilities[int(matches.labels[k, a])])
            elif matches.negative[k, a]:
                negatives.append(-math.log(probabilities[-1]))
        negatives = sorted(negatives)[::-1]
        wanted = min(3 * max(positives, 1), len(negatives))
        last = negatives[wanted - 1]
        weights = [min(max((loss / last - 1) / ramp + 0.5, 0), 1) for loss in negatives]
        chosen = sum(w * loss for w, loss in zip(weights, negatives, strict=True))
        result.append(total + chosen * wanted / sum(weights))
    return result


def test_the_focal_loss_is_the_loops():
    matches, logits = match_anchors(ANCHORS, objects()), raw()["classes"]
    np.testing.assert_allclose(focal_loss(logits, matches), focal_by_loops(logits, matches), 1e-5)


def test_hard_negatives_are_the_loops():
    matches, logits = match_anchors(ANCHORS, objects()), raw(CLASSES + 1)["classes"]
    expected = hard_negatives_by_loops(logits, matches)
    np.testing.assert_allclose(hard_negative_softmax(logits, matches), expected, 1e-5)


def test_hard_negatives_are_the_papers_where_none_is_near_the_last():
    matches = match_anchors(ANCHORS, objects())
    logits = np.zeros((BATCH, len(ANCHORS), CLASSES + 1), "float32")
    logits[..., -1] = 4.0
    logits[:, ::5, -1] = -np.linspace(1.0, 9.0, logits[:, ::5].shape[1])  # far from each other
    result = hard_negative_softmax(logits, matches).numpy()
    plain = hard_negatives_by_loops(logits, matches, ramp=1e-6)
    # The last one counts half under the ramp of the loops, so a sum differs by less than that.
    np.testing.assert_allclose(result, plain, rtol=0.1)


def test_a_difference_in_the_last_bit_chooses_no_other_negative():
    matches = match_anchors(ANCHORS, objects())
    gradients = []
    for noise in (0.0, 1e-7):
        random = np.random.default_rng(1)
        logits = random.normal(size=(BATCH, len(ANCHORS), CLASSES + 1)) * 1e-3
        logits = tf.constant(logits + noise * random.normal(size=logits.shape), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = hard_negative_softmax(logits, matches)
        gradients.append(tape.gradient(loss, logits).numpy())
    np.testing.assert_allclose(*gradients, atol=1e-5)


def test_equal_losses_count_no_more_negatives_than_three_a_positive():
    matches = match_anchors(ANCHORS, objects())
    result = hard_negative_softmax(np.zeros((BATCH, len(ANCHORS), CLASSES + 1), "float32"), matches)
    positives = np.maximum(np.sum(matches.positive, 1), 1)
    hard = np.minimum(3 * positives, np.sum(matches.negative, 1))
    expected = (np.sum(matches.positive, 1) + hard) * math.log(CLASSES + 1)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_smooth_l1_is_square_and_then_straight():
    differences = np.array([[0.0, 0.05, -0.5, 2.0]], "float32")
    by_hand = 0.0 + 0.5 * 0.05**2 * 9 + (0.5 - 1 / 18) + (2.0 - 1 / 18)
    np.testing.assert_allclose(smooth_l1(differences, np.zeros((1, 4))), [by_hand], 1e-5)


@pytest.mark.parametrize(("class_loss", "box_loss"), BOTH)
def test_each_image_is_divided_by_its_own_positives(class_loss, box_loss):
    outputs = raw(CLASSES + (class_loss == "softmax"))
    measure = DetectionLoss(ANCHORS, BoxCoding(), class_loss, box_loss)
    whole = measure(outputs, objects())
    parts = []
    for k in range(BATCH):
        part = {name: value[k : k + 1] for name, value in outputs.items()}
        truth = {name: value[k : k + 1] for name, value in objects().items()}
        parts.append(measure(part, truth))
    for name in whole:
        expected = np.mean([part[name] for part in parts])
        assert float(whole[name]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("class_loss", "box_loss"), BOTH)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_without_objects_all_is_finite_and_no_box_is_learnt(class_loss, box_loss, scale):
    outputs = raw(CLASSES + (class_loss == "softmax"))
    outputs = {name: tf.constant(value * scale) for name, value in outputs.items()}
    measure = DetectionLoss(ANCHORS, BoxCoding(), class_loss, box_loss)
    for empty in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            losses = measure(outputs, objects(empty))
            loss = tf.add_n(list(losses.values()))
        gradients = tape.gradient(loss, outputs)
        assert np.isfinite(loss)
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())
        if empty:
            assert float(losses["box_loss"]) == 0.0
            assert not np.any(gradients["boxes"])
            assert np.any(gradients["classes"])


# The weights of CIoU and of hard negatives are held constant: their gradients are below.
@pytest.mark.parametrize(("class_loss", "box_loss"), [("focal", "giou"), ("focal", "smooth_l1")])
def test_gradients_are_finite_differences(class_loss, box_loss):
    outputs = raw(CLASSES + (class_loss == "softmax"))
    measure = DetectionLoss(ANCHORS, BoxCoding(), class_loss, box_loss)
    random = np.random.default_rng(3)

    def loss(values):
        return tf.add_n(list(measure(values, objects()).values()))

    tensors = {name: tf.constant(value) for name, value in outputs.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(tensors)
    gradients = tape.gradient(value, tensors)
    for _ in range(5):
        # Along a direction that correlates with the gradient: float32 would drown a small slope.
        way = {n: np.sign(g) * random.random(g.shape) for n, g in gradients.items()}
        step = 2e-4
        ahead, behind = (
            float(
                loss({n: tf.constant(outputs[n] + s * step * way[n], tf.float32) for n in outputs})
            )
            for s in (1, -1)
        )
        slope = sum(float(np.sum(gradients[n] * way[n])) for n in outputs)
        assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=2e-2)


def test_the_gradient_of_hard_negatives_is_what_each_counts():
    matches, logits = match_anchors(ANCHORS, objects()), raw(CLASSES + 1)["classes"]
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = hard_negative_softmax(tensor, matches)
    gradient = tape.gradient(loss, tensor).numpy()
    given = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    true = np.where(matches.positive, matches.labels, CLASSES)
    apart = given - np.eye(CLASSES + 1)[true]
    counts = np.abs(gradient).sum(-1) / np.abs(apart).sum(-1)
    np.testing.assert_allclose(gradient, counts[..., None] * apart, atol=1e-5)
    np.testing.assert_allclose(counts[np.asarray(matches.positive)], 1.0, rtol=1e-4)
    negatives = np.where(matches.negative, counts, 0.0).sum(1)
    positives = np.maximum(np.sum(matches.positive, 1), 1)
    np.testing.assert_allclose(
        negatives, np.minimum(3 * positives, np.sum(matches.negative, 1)), 1e-4
    )


def test_the_gradient_of_ciou_is_a_difference_with_its_weight_held():
    boxes, others = tf.constant([[2.0, 3.0, 17.0, 14.0]]), tf.constant([[5.0, 1.0, 15.0, 20.0]])
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        value = complete_iou(boxes, others)
    gradient = tape.gradient(value, boxes).numpy()[0]

    def by_hand(b, weight=None):
        (x0, y0, x1, y1), (u0, v0, u1, v1) = b, others.numpy()[0].astype("float64")
        shared = (min(x1, u1) - max(x0, u0)) * (min(y1, v1) - max(y0, v0))
        iou = shared / ((x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared)
        apart = ((x0 + x1 - u0 - u1) ** 2 + (y0 + y1 - v0 - v1) ** 2) / 4
        hull = (max(x1, u1) - min(x0, u0)) ** 2 + (max(y1, v1) - min(y0, v0)) ** 2
        angle = math.atan((u1 - u0) / (v1 - v0)) - math.atan((x1 - x0) / (y1 - y0))
        shape = 4 / math.pi**2 * angle**2
        weight = shape / (1 - iou + shape) if weight is None else weight
        return iou - apart / hull - weight * shape, weight

    at = boxes.numpy()[0].astype("float64")
    _, weight = by_hand(at)
    for k in range(4):
        step = np.eye(4)[k] * 1e-5
        slope = (by_hand(at + step, weight)[0] - by_hand(at - step, weight)[0]) / 2e-5
        assert gradient[k] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_anchors_of_neither_kind_learn_nothing():
    shape = (1, len(ANCHORS))
    nothing = Matches(tf.zeros([*shape, 4]), tf.fill(shape, -1), *[tf.zeros(shape, tf.bool)] * 2)
    logits = tf.constant(raw()["classes"][:1])
    assert float(focal_loss(logits, nothing)[0]) == 0.0
    assert float(hard_negative_softmax(logits, nothing)[0]) == 0.0
