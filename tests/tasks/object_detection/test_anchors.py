"""Anchors: where they lie, how much they cover, and how they are fitted to boxes."""

import numpy as np
import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.object_detection.anchor_settings import AnchorSettings
from lightning_tf.tasks.object_detection.anchors import (
    Anchors,
    level_shapes,
    retinanet_sizes,
    ssd_sizes,
)

LEVELS = (3, 4, 5, 6)


def random_boxes(count=200, least=20.0, most=90.0, seed=0, side=160):
    random = np.random.default_rng(seed)
    sides = np.exp(random.uniform(np.log(least), np.log(most), (count, 2)))
    corner = random.uniform(0, 1, (count, 2)) * (side - sides)
    return np.concatenate([corner, corner + sides], 1).astype("float32")


def table(boxes, anchors):
    low = np.maximum(boxes[:, None, :2], anchors[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], anchors[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), -1)
    areas = [np.prod(b[:, 2:] - b[:, :2], -1) for b in (boxes, anchors)]
    return shared / (areas[0][:, None] + areas[1] - shared)


def test_anchors_are_centered_in_their_cells_level_after_level():
    sizes = [[[8.0, 8.0], [4.0, 16.0]], [[16.0, 16.0], [8.0, 32.0]]]
    boxes = Anchors((16, 32), (3, 4), sizes).boxes
    assert boxes.shape == (2 * 4 * 2 + 1 * 2 * 2, 4)
    np.testing.assert_array_equal(boxes[0], [0, 0, 8, 8])
    np.testing.assert_array_equal(boxes[1], [2, -4, 6, 12])
    np.testing.assert_array_equal(boxes[2], [8, 0, 16, 8])
    np.testing.assert_array_equal(boxes[8], [0, 8, 8, 16])
    np.testing.assert_array_equal(boxes[18], [16, 0, 32, 16])


def test_a_level_that_does_not_divide_the_side_is_spread_evenly():
    assert level_shapes((160, 160), (5, 6)) == [(5, 5), (3, 3)]
    boxes = Anchors((160, 160), (6,), [[[2.0, 2.0]]]).boxes
    np.testing.assert_allclose((boxes[:3, 0] + boxes[:3, 2]) / 2, [160 / 6, 80, 800 / 6], rtol=1e-6)


def test_sizes_are_the_papers():
    (sizes,) = retinanet_sizes((3,), 4.0)
    areas = [w * h for w, h in sizes]
    expected = [32.0**2 * 2 ** (2 * k / 3) for k in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    np.testing.assert_allclose(areas, expected)
    np.testing.assert_allclose([h / w for w, h in sizes], [0.5, 1.0, 2.0] * 3)
    levels = ssd_sizes((3, 4, 5, 6), 100.0)
    np.testing.assert_allclose([level[0][0] for level in levels], [15, 40, 65, 90])
    assert all(len(level) == 6 for level in levels)


@pytest.mark.parametrize("sizes", [retinanet_sizes(LEVELS, 2.0), ssd_sizes(LEVELS, 160)])
def test_the_best_overlap_is_that_with_all_anchors(sizes):
    anchors, boxes = Anchors((160, 128), LEVELS, sizes), random_boxes(side=128)
    expected = table(boxes.astype("float64"), anchors.boxes.astype("float64")).max(1)
    np.testing.assert_allclose(anchors.best_overlaps(boxes), expected, atol=1e-6)
    assert anchors.coverage(boxes) == pytest.approx(np.mean(expected >= 0.5))


@pytest.mark.parametrize("head", ["retinanet", "ssd"])
@pytest.mark.parametrize(("least", "most"), [(14.0, 40.0), (30.0, 120.0)])
def test_fitted_anchors_cover_what_the_papers_miss(head, least, most):
    boxes = random_boxes(300, least, most)
    anchors = AnchorSettings("auto", head).build((160, 160), LEVELS, boxes)
    assert anchors.coverage(boxes) > (0.95 if head == "retinanet" else 0.85)
    plain = retinanet_sizes(LEVELS, 4.0) if head == "retinanet" else ssd_sizes(LEVELS, 160)
    assert anchors.coverage(boxes) >= Anchors((160, 160), LEVELS, plain).coverage(boxes) - 0.011


def test_a_rare_class_of_small_objects_counts_as_much_as_a_frequent_one():
    large, small = random_boxes(1000, 40.0, 60.0), random_boxes(8, 14.0, 18.0, seed=1)
    boxes, labels = np.concatenate([large, small]), np.repeat([0, 1], [1000, 8])

    def covered(*labels_or_none):
        settings = AnchorSettings("auto", "retinanet")
        return settings.build((160, 160), LEVELS, boxes, *labels_or_none).coverage(small)

    assert covered(labels) > 0.9
    assert covered() < 0.5  # eight of a thousand, if all were of one class


def test_without_boxes_they_are_the_papers():
    anchors = AnchorSettings("auto", "retinanet").build((64, 64), (3, 4), np.zeros((0, 4)))
    assert anchors.sizes == retinanet_sizes((3, 4), 4.0)


def test_numbers_of_a_user_are_taken():
    settings = AnchorSettings({"scales": 3, "ratios": [1.0, 2.0]}, "retinanet")
    anchors = settings.build((64, 64), (3,), random_boxes(5, side=64, most=40))
    np.testing.assert_allclose(anchors.sizes[0], [[24, 24], [24 / 2**0.5, 24 * 2**0.5]])


@pytest.mark.parametrize("wrong", ["otto", -1, {"scale": 3}, {"scales": []}, {"scales": [0]}, None])
def test_what_are_no_anchors_is_told(wrong):
    with pytest.raises(ConfigurationError, match="anchors"):
        AnchorSettings(wrong, "retinanet")
