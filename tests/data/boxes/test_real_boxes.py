"""The photos of raccoons and of blood that stand beside the project."""

import pytest
from helpers.boxes import examples, ready

from lightning_tf.data import detection_data
from lightning_tf.exceptions import DataError

pytestmark = pytest.mark.real_data


def objects_of(data, split):
    return sum(len(data.annotations[row].labels) for row in data.splits[split].indices)


def test_raccoons_are_read_in_their_split():
    data = ready(detection_data("raccoon", image_size=160, val_fraction=0.0))
    assert {name: len(split.indices) for name, split in data.splits.items()} == {
        "train": 160,
        "test": 40,
    }
    assert (objects_of(data, "train"), objects_of(data, "test")) == (173, 44)
    assert data.class_names == ["raccoon"]
    images, objects = examples(data.test_dataset())
    assert images.shape == (40, 160, 160, 3)
    assert (objects["labels"] >= 0).sum() == 44


def test_blood_has_two_boxes_without_area_which_are_named():
    with pytest.raises(DataError, match=r"2 bad boxes: .*00343.*no area.*00338.*no area"):
        ready(detection_data("bccd", image_size=(96, 128)))


def test_blood_is_read_without_them(caplog):
    data = ready(detection_data("bccd", image_size=(96, 128), bad_boxes="drop"))
    assert {name: len(split.indices) for name, split in data.splits.items()} == {
        "train": 205,
        "val": 87,
    }
    assert data.class_names == ["Platelets", "RBC", "WBC"]
    assert data.max_objects == 30
    assert sum(len(item.labels) for item in data.annotations) == 3941
    assert "BloodImage_00338.xml" in caplog.text
    assert "BloodImage_00343.xml" in caplog.text
    halves = [x % 1 for item in data.annotations for x in item.boxes.ravel()]
    assert 0.4 < halves.count(0.5) / len(halves) < 0.6
