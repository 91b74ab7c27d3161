"""Generated scenes."""

import numpy as np
import pytest
from helpers.boxes import examples, ready
from helpers.extras import MNIST

from lightning_tf.data import DigitScenes
from lightning_tf.data.boxes.formats.digit_scenes import glyphs_of_splits
from lightning_tf.data.boxes.formats.scene_painter import HEIGHTS

pytestmark = MNIST
FEW = {"train_scenes": 60, "val_scenes": 20, "test_scenes": 20}


@pytest.fixture(scope="module")
def scenes():
    return ready(DigitScenes(**FEW))


def iou(one, two):
    low, high = np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / (np.prod(one[2:] - one[:2]) + np.prod(two[2:] - two[:2]) - shared)


@pytest.mark.slow
def test_a_scene_is_a_function_of_seed_split_and_index(scenes):
    more = ready(DigitScenes(**{**FEW, "train_scenes": 70}))
    for name, count in (("train", 60), ("val", 20), ("test", 20)):
        for first, second in zip(
            scenes.splits[name].indices, more.splits[name].indices[:count], strict=True
        ):
            one, two = scenes.annotations[first], more.annotations[second]
            assert one.equals(two)
            assert (one.pixels == two.pixels).all()
    other = ready(DigitScenes(**FEW, scene_seed=1))
    assert not other.annotations[0].equals(scenes.annotations[0])


def test_no_glyph_is_in_two_splits():
    glyphs, labels = glyphs_of_splits()
    assert {name: len(part) for name, part in glyphs.items()} == {
        "train": 4000,
        "val": 500,
        "test": 500,
    }
    sets = [{glyph.tobytes() for glyph in part} for part in glyphs.values()]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    assert all(len(np.unique(part)) == 10 for part in labels.values())


def test_scenes_have_one_to_six_digits_that_hardly_overlap(scenes):
    counts = {len(item.labels) for item in scenes.annotations}
    assert counts <= set(range(1, 7))
    assert len(counts) > 4
    for item in scenes.annotations:
        height = item.boxes[:, 3] - item.boxes[:, 1]
        assert (height >= HEIGHTS[0] - 2).all()
        assert (height <= HEIGHTS[1]).all()
        assert item.boxes.min() >= 0
        assert item.boxes.max() <= 96
        for place, box in enumerate(item.boxes):
            assert all(iou(box, other) <= 0.1 for other in item.boxes[:place])


def test_batches_are_the_scenes_as_they_were_painted(scenes):
    images, objects = examples(scenes.val_dataset())
    assert images.shape == (20, 96, 96, 3)
    for image, index, boxes, labels in zip(
        images, objects["index"], objects["boxes"], objects["labels"], strict=True
    ):
        item = scenes.annotations[index]
        assert (image == item.pixels).all()
        assert (boxes[: len(item.labels)] == item.boxes).all()
        assert [str(label) for label in labels if label >= 0] == list(item.labels)
    assert scenes.class_names == [str(digit) for digit in range(10)]
