"""Detections: the greedy suppression of loops, order, padding, and boxes of the original."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.tasks.object_detection.anchors import Anchors, retinanet_sizes
from lightning_tf.tasks.object_detection.box_coding import BoxCoding
from lightning_tf.tasks.object_detection.detections import (
    Detections,
    in_original,
    kept_by_nms,
)

ANCHORS = Anchors((64, 64), (3, 4), retinanet_sizes((3, 4), 2.0)).boxes
BATCH, CLASSES, MOST = 3, 2, 20


def iou(a, b):
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return w * h / max(sum(areas) - w * h, 1e-7)


def greedy(boxes, labels, most):
    kept = []
    for k in range(len(boxes)):
        rivals = [j for j in kept if labels[j] == labels[k]]
        if all(iou(boxes[j], boxes[k]) <= most for j in rivals):
            kept.append(k)
    return kept


def crowded(count, seed, batch=BATCH):
    """Boxes around few places, so that chains of suppression occur."""
    random = np.random.default_rng(seed)
    centers = random.choice([15.0, 22.0, 40.0, 44.0], (batch, count, 2))
    centers = centers + random.normal(0, 4, (batch, count, 2))
    half = random.uniform(6, 12, (batch, count, 2))
    boxes = np.concatenate([centers - half, centers + half], -1).astype("float32")
    return boxes, random.integers(0, CLASSES, (batch, count)).astype("int32")


@pytest.mark.parametrize("most", [0.2, 0.5, 0.8])
def test_what_is_kept_is_what_a_greedy_loop_keeps(most):
    boxes, labels = crowded(150, seed=0)
    kept = kept_by_nms(tf.constant(boxes), tf.constant(labels), most).numpy()
    for k in range(BATCH):
        expected = greedy(boxes[k].tolist(), labels[k], most)
        assert np.flatnonzero(kept[k]).tolist() == expected


def test_tensorflows_own_suppression_keeps_the_same():
    boxes, labels = crowded(200, seed=1, batch=1)
    scores = np.linspace(1.0, 0.1, 200).astype("float32")
    moved = boxes[0] + 100.0 * labels[0][:, None]
    expected = tf.image.non_max_suppression(moved, scores, 200, 0.5)
    kept = kept_by_nms(tf.constant(boxes), tf.constant(labels), 0.5).numpy()
    assert np.flatnonzero(kept[0]).tolist() == expected.numpy().tolist()


def raw(spread=1.0):
    random = np.random.default_rng(5)
    shape = (BATCH, len(ANCHORS))
    return {
        "classes": (random.normal(size=(*shape, CLASSES)) * spread - 2.0).astype("float32"),
        "boxes": (random.normal(size=(*shape, 4)) * 0.1).astype("float32"),
    }


def test_detections_are_decoded_clipped_sorted_and_padded():
    outputs, find = raw(), Detections(ANCHORS, BoxCoding(), (64, 64), "focal", 0.5, MOST)
    found = {name: value.numpy() for name, value in find(outputs, 0.5).items()}
    decoded = BoxCoding().decode(outputs["boxes"], ANCHORS).numpy().clip(0.0, 64.0)
    scores = 1.0 / (1.0 + np.exp(-outputs["classes"]))
    for k in range(BATCH):
        order = np.argsort(-scores[k].reshape(-1), kind="stable")[:400]
        places, labels = order // CLASSES, order % CLASSES
        kept = greedy(decoded[k][places].tolist(), labels, 0.5)
        kept = [j for j in kept if scores[k].reshape(-1)[order[j]] > 0.5][:MOST]
        count = found["count"][k]
        assert count == len(kept)
        np.testing.assert_allclose(found["boxes"][k][:count], decoded[k][places[kept]], atol=1e-4)
        np.testing.assert_array_equal(found["labels"][k][:count], labels[kept])
        assert (np.diff(found["scores"][k]) <= 0).all()
        assert not found["boxes"][k][count:].any()
        assert not found["scores"][k][count:].any()
        assert (found["labels"][k][count:] == -1).all()
    assert found["count"].min() > 0


def test_the_background_of_a_softmax_is_no_detection():
    outputs = raw()
    background = np.full((BATCH, len(ANCHORS), 1), 20.0, "float32")
    outputs["classes"] = np.concatenate([outputs["classes"], background], -1)
    find = Detections(ANCHORS, BoxCoding(), (64, 64), "softmax")
    assert not find(outputs, 0.01)["count"].numpy().any()


def test_few_anchors_are_padded_to_the_most():
    find = Detections(ANCHORS[:5], BoxCoding(), (64, 64), "focal", most=50)
    found = find({name: value[:, :5] for name, value in raw().items()})
    assert found["boxes"].shape == (BATCH, 50, 4)
    assert found["labels"].shape == (BATCH, 50)


def test_it_compiles():
    find = Detections(ANCHORS, BoxCoding(), (64, 64), "focal", 0.5, MOST)
    compiled = tf.function(find, jit_compile=True, autograph=False)
    tensors = {name: tf.constant(value) for name, value in raw().items()}
    one, other = find(tensors), compiled(tensors)
    np.testing.assert_allclose(one["boxes"], other["boxes"], atol=1e-4)


def test_a_frame_is_undone_and_boxes_end_where_the_original_ends():
    random = np.random.default_rng(0)
    size = random.integers(50, 900, (20, 2)).astype("int32")
    scale = 160.0 / size.max(1, keepdims=True)
    offset = (160.0 - size[:, ::-1] * scale) / 2.0
    frame = np.concatenate([offset, np.tile(scale, (1, 2))], 1).astype("float32")
    whole = np.concatenate([np.zeros((20, 2)), size[:, ::-1]], 1)
    low = random.uniform(0, 0.5, (20, 7, 2))
    high = random.uniform(0.5, 1.0, (20, 7, 2))
    original = np.concatenate([low, high], -1) * np.tile(size[:, None, ::-1], 2)
    moved = original * np.tile(frame[:, None, 2:], 2) + np.tile(frame[:, None, :2], 2)
    back = in_original(moved.astype("float32"), frame, size)
    np.testing.assert_allclose(back, original, atol=1e-3)
    everything = in_original(np.float32([[[-50, -50, 300, 300]]] * 20), frame, size)
    np.testing.assert_allclose(everything[:, 0], whole)
    assert not np.any(in_original(np.zeros((20, 2, 4), "float32"), frame, size))
