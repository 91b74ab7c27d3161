"""Bad boxes: refused, clipped or dropped, each told by image and object."""

import re

import numpy as np
import pytest
from helpers.boxes import BOX, SIZE, boxes_of, ready, voc_object, voc_xml, write_voc_item

from lightning_tf.data import BoxArrays, VocFolder
from lightning_tf.exceptions import DataError


def arrays(boxes, labels=None, **options):
    labels = ["cat"] * len(boxes) if labels is None else labels
    image = np.zeros((*SIZE, 3), np.uint8)
    pair = [image] * 2, [{"boxes": boxes, "labels": labels}, {"boxes": [BOX], "labels": ["cat"]}]
    return ready(BoxArrays(pair, image_size=32, val_fraction=0.0, **options))


BAD_BOXES = {
    "no area": ([5, 5, 5, 5], "has no area", None),
    "reversed": ([20, 5, 10, 9], "ends before it begins", None),
    "outside": ([50, 5, 60, 9], r"lies outside of the image of 40 x 30 \(width x height\)", None),
    "above": ([5, -9, 9, -2], "lies outside", None),
    "reaching out": ([30, 5, 50, 9], "reaches out", [30, 5, 40, 9]),
    "larger than the image": ([-5, -5, 100, 100], "reaches out", [0, 0, 40, 30]),
    "not a number": ([1, 2, float("nan"), 9], "lacks a number", None),
    "infinite": ([1, 2, float("inf"), 9], "lacks a number", None),
}


@pytest.mark.parametrize("name", BAD_BOXES)
def test_a_bad_box_is_refused_clipped_or_dropped_and_told_by_image_and_object(caplog, name):
    box, problem, clipped = BAD_BOXES[name]
    boxes = [list(BOX), box]
    with pytest.raises(
        DataError, match=rf"1 bad boxes: train image 0, object 2 \(cat\).*{problem}"
    ):
        arrays(boxes)
    assert boxes_of(arrays(boxes, bad_boxes="drop")) == [list(BOX)]
    assert re.search(rf"train image 0, object 2 \(cat\) .*{problem}.*: left out", caplog.text)
    caplog.clear()
    kept = [list(BOX)] + [clipped] * (clipped is not None)
    assert boxes_of(arrays(boxes, bad_boxes="clip")) == kept
    assert ("left out" if clipped is None else "clipped") in caplog.text


def test_sizes_given_as_corners_are_guessed_from_the_share_of_bad_boxes():
    boxes = [[20, 15, 8, 9], [30, 2, 9, 20], [2, 20, 9, 8]]
    with pytest.raises(DataError, match=r"they look like xywh; .*box_format="):
        arrays(boxes)
    assert boxes_of(arrays(boxes, box_format="xywh"))[0] == [20, 15, 28, 24]


def test_fractions_given_as_pixels_are_refused():
    image = np.zeros((*SIZE, 3), np.uint8)
    pair = [image], [{"boxes": [[0.1, 0.2, 0.5, 1.0]], "labels": ["cat"]}]
    with pytest.raises(DataError, match=r"fractions of the image.*'rel_xyxy'"):
        ready(BoxArrays(pair, val_fraction=0.0))
    data = ready(BoxArrays(pair, val_fraction=0.0, box_format="rel_xyxy"))
    assert boxes_of(data) == [[4, 6, 20, 30]]


def test_an_object_below_a_pixel_after_resizing_is_kept_and_told(caplog):
    data = arrays([[5, 5, 6, 6]])
    assert len(boxes_of(data)) == 1
    assert re.search(r"1 objects are below 1 pixel after resizing.*train image 0", caplog.text)


def test_a_crowded_image_keeps_all_its_objects():
    boxes = [[n % 39, n % 29, n % 39 + 1, n % 29 + 1] for n in range(500)]
    data = arrays(boxes)
    assert data.max_objects == 500


def test_pixels_counted_from_1_that_are_0_are_named(tmp_path):
    write_voc_item(tmp_path, "a", voc_xml(voc_object(box=(0, 4, 23, 14))))
    with pytest.raises(DataError, match=r"a\.xml, object 1 \(cat\) \[-1, 3, 23, 14\] reaches out"):
        ready(VocFolder(tmp_path, pixel_origin=1))
    data = ready(VocFolder(tmp_path, pixel_origin=1, bad_boxes="clip", val_fraction=0.0))
    assert boxes_of(data) == [[0, 3, 23, 14]]
