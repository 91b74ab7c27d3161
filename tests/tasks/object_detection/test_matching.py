"""match_anchors, against loops over images, objects and anchors."""

import numpy as np
import tensorflow as tf

from lightning_tf.tasks.object_detection.anchors import Anchors, retinanet_sizes
from lightning_tf.tasks.object_detection.matching import match_anchors

ANCHORS = Anchors((64, 64), (3, 4), retinanet_sizes((3, 4), 2.0)).boxes


def iou(a, b):
    w = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    h = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return w * h / (sum(areas) - w * h), w * h / areas[0]


def by_loops(anchors, boxes, labels, ignored):
    """Return object (-1 for none) and kind (1 positive, 0 negative, -1 neither) of each anchor."""
    real = [m for m in range(len(boxes)) if labels[m] >= 0 and not ignored[m]]
    table = {m: [iou(a, boxes[m])[0] for a in anchors] for m in real}
    result = []
    forced = {m: int(np.argmax(table[m])) for m in real}
    for k, anchor in enumerate(anchors):
        candidates = [m for m in real if forced[m] == k and table[m][k] > 0] or real
        chosen = max(candidates, key=lambda m: (table[m][k], -m), default=None)
        best = max((table[m][k] for m in real), default=-1.0)
        if chosen is not None and (forced[chosen] == k or best >= 0.5):
            result.append((chosen, 1))
            continue
        over = False
        for m in range(len(boxes)):
            if labels[m] >= 0 and ignored[m]:
                overlap, share = iou(anchor, boxes[m])
                over = over or overlap >= 0.4 or share >= 0.5
        result.append((-1, -1 if over or best >= 0.4 else 0))
    return np.array(result)


def random_objects(batch=6, rows=5, seed=0):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 40, (batch, rows, 2))
    boxes = np.concatenate([corner, corner + random.uniform(4, 30, (batch, rows, 2))], 2)
    labels = random.integers(0, 3, (batch, rows))
    counts = random.integers(0, rows + 1, batch)
    labels[np.arange(rows) >= counts[:, None]] = -1
    boxes[labels < 0] = 0.0
    ignored = (random.random((batch, rows)) < 0.3) & (labels >= 0)
    return {
        "boxes": boxes.astype("float32"),
        "labels": labels.astype("int32"),
        "ignored": ignored,
    }


def kinds(matches):
    return np.where(matches.positive, 1, np.where(matches.negative, 0, -1))


def test_every_anchor_is_what_the_loops_say():
    objects = random_objects()
    matches = match_anchors(ANCHORS, objects)
    for k in range(6):
        boxes, labels = objects["boxes"][k], objects["labels"][k]
        expected = by_loops(ANCHORS.tolist(), boxes.tolist(), labels, objects["ignored"][k])
        np.testing.assert_array_equal(kinds(matches)[k], expected[:, 1])
        positive = expected[:, 1] == 1
        chosen = expected[positive, 0]
        np.testing.assert_array_equal(matches.labels[k][positive], labels[chosen])
        np.testing.assert_array_equal(matches.boxes[k][positive], boxes[chosen])
        np.testing.assert_array_equal(matches.boxes[k][~positive], ANCHORS[~positive])
        assert (matches.labels[k].numpy()[~positive] == -1).all()


def test_padding_changes_nothing():
    objects = random_objects()
    more = {
        "boxes": np.pad(objects["boxes"], [(0, 0), (0, 7), (0, 0)]),
        "labels": np.pad(objects["labels"], [(0, 0), (0, 7)], constant_values=-1),
        "ignored": np.pad(objects["ignored"], [(0, 0), (0, 7)]),
    }
    for one, other in zip(
        match_anchors(ANCHORS, objects), match_anchors(ANCHORS, more), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_object_that_no_anchor_fits_has_the_best_one():
    objects = {
        "boxes": tf.constant([[[30.0, 30.0, 33.0, 33.0], [0.0, 0.0, 0.0, 0.0]]]),
        "labels": tf.constant([[1, -1]]),
    }
    matches = match_anchors(ANCHORS, objects)
    assert int(tf.reduce_sum(tf.cast(matches.positive, tf.int32))) == 1
    overlaps = [iou(anchor, [30, 30, 33, 33])[0] for anchor in ANCHORS.tolist()]
    assert bool(matches.positive[0, int(np.argmax(overlaps))])


def test_no_objects_and_no_rows_at_all_leave_negatives_alone():
    for rows in (0, 3):
        objects = {"boxes": tf.zeros([2, rows, 4]), "labels": tf.fill([2, rows], -1)}
        matches = match_anchors(ANCHORS, objects)
        assert not np.any(matches.positive)
        assert np.all(matches.negative)


def test_an_ignored_object_teaches_nothing_and_nothing_beside_it():
    box = [[[8.0, 8.0, 40.0, 40.0]]]
    real = match_anchors(ANCHORS, {"boxes": box, "labels": tf.constant([[0]])})
    objects = {"boxes": box, "labels": tf.constant([[0]]), "ignored": tf.constant([[True]])}
    matches = match_anchors(ANCHORS, objects)
    assert not np.any(matches.positive)
    assert not np.any(matches.negative & real.positive)
    assert np.any(matches.negative)


def test_an_empty_box_is_no_object():
    objects = {"boxes": tf.fill([1, 1, 4], 20.0), "labels": tf.constant([[0]])}
    assert not np.any(match_anchors(ANCHORS, objects).positive)
