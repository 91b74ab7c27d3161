"""ObjectDetection with settings and data at the edge of what makes sense."""

import numpy as np
import pytest
from helpers.boring import fitted
from helpers.rectangles import RectangleData, scenes

from lightning_tf.data.boxes.formats.box_arrays import BoxArrays
from lightning_tf.tasks import ObjectDetection

pytestmark = pytest.mark.slow


def detection(data, **options):
    small = {"backbone": "small", "width": 16, "levels": (3, 4, 5), "image_size": 64}
    return ObjectDetection(data, **{**small, "augmentation": None, **options})


def one_photo():
    images, objects = scenes(1, classes=1)
    real = objects["labels"][0] >= 0
    given = {"boxes": objects["boxes"][0][real], "labels": ["red"] * int(real.sum())}
    return BoxArrays({"train": (list(images), [given])}, image_size=64)


@pytest.mark.parametrize("head", ["retinanet", "ssd"])
def test_one_image_of_one_class_is_enough(head):
    data = RectangleData(1, classes=1)
    trainer = fitted(detection(data, head=head), max_epochs=2, seed=0)
    row = trainer.callback_metrics
    assert np.isfinite(list(row.values())).all()
    assert 0.0 <= row["val_map"] <= 1.0


def test_of_one_annotated_image_nothing_is_held_out():
    trainer = fitted(task := detection(one_photo()), max_epochs=1, seed=0)
    assert np.isfinite(trainer.callback_metrics["loss"])
    assert "val_loss" not in trainer.callback_metrics
    assert task.class_names == ["red"]


def test_sides_that_the_coarsest_level_does_not_divide_are_trained_and_measured():
    images, objects = scenes(4)
    data = RectangleData(4)
    images = np.pad(images, ((0, 0), (0, 32), (0, 0), (0, 0)), constant_values=114)  # 96 x 64
    data.train = data.val = (images, {**objects, "size": objects["size"] + np.int32([32, 0])})
    data.input_shape = (96, 64, 3)
    task = detection(data, image_size=(96, 64), levels=(3, 4, 5, 6))
    row = fitted(task, max_epochs=1, seed=0).callback_metrics
    assert task.anchors.shapes[-1] == (2, 1)
    assert np.isfinite([row["loss"], row["val_loss"], row["val_map"]]).all()


def test_xla_compiles_the_step_with_everything_that_augments():
    augmentation = ("flip", "scale", "shift", "crop", "color")
    task = detection(RectangleData(), augmentation=augmentation, mosaic=0.5)
    trainer = fitted(task, max_epochs=2, seed=0, jit_compile=True)
    assert np.isfinite(list(trainer.callback_metrics.values())).all()
