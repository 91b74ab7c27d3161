"""Losses of classes and boxes, against NumPy, and their gradients, against differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.object_detection.anchors import Anchors, retinanet_sizes
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
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


def hard_negatives_by_loops(logits, matches):
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
        result.append(total + sum(sorted(negatives)[::-1][: 3 * max(positives, 1)]))
    return result


def test_the_focal_loss_is_the_loops():
    matches, logits = match_anchors(ANCHORS, objects()), raw()["classes"]
    np.testing.assert_allclose(focal_loss(logits, matches), focal_by_loops(logits, matches), 1e-5)


def test_hard_negatives_are_the_loops():
    matches, logits = match_anchors(ANCHORS, objects()), raw(CLASSES + 1)["classes"]
    expected = hard_negatives_by_loops(logits, matches)
    np.testing.assert_allclose(hard_negative_softmax(logits, matches), expected, 1e-5)


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


@pytest.mark.parametrize(("class_loss", "box_loss"), BOTH)
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
        if box_loss != "ciou":  # whose weight is held constant
            assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=2e-2)


def test_anchors_of_neither_kind_learn_nothing():
    shape = (1, len(ANCHORS))
    nothing = Matches(tf.zeros([*shape, 4]), tf.fill(shape, -1), *[tf.zeros(shape, tf.bool)] * 2)
    logits = tf.constant(raw()["classes"][:1])
    assert float(focal_loss(logits, nothing)[0]) == 0.0
    assert float(hard_negative_softmax(logits, nothing)[0]) == 0.0
