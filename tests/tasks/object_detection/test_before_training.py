"""What a detector tells before training: examples, its anchors' coverage, what cannot work."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import NumberTask, Rows, fitted
from helpers.rectangles import RectangleData

from lightning_tf.data.boxes.formats.box_arrays import BoxArrays
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ObjectDetection
from lightning_tf.tasks.object_detection.anchor_settings import AnchorSettings
from lightning_tf.tasks.object_detection.detection_spec import training_objects
from lightning_tf.tasks.object_detection.reports.anchor_coverage import (
    AnchorCoverage,
    coverage_figure,
    tell_coverage,
)
from lightning_tf.tasks.object_detection.reports.training_examples import TrainingExamples


class Sent(Rows):
    """Keeps images with their captions and boxes."""

    def log_images(self, name, images, step, captions=None, masks=None, boxes=None):
        self.sent.append(("images", name, step, (images, captions, boxes)))

    def named(self, name):
        return [(step, content) for _, other, step, content in self.sent if other == name]


class Detector(NumberTask):
    """No network; anchors and classes are all that the reports ask for."""

    class_names = ("cat", "dog")

    def __init__(self, data, anchors=4.0):
        super().__init__(data)
        self.anchor_settings = AnchorSettings(anchors, "retinanet")

    def configure_model(self):
        super().configure_model()
        boxes, _ = training_objects(self.data)
        self.anchors = self.anchor_settings.build((64, 64), (3, 4), boxes)

    def training_step(self, batch):
        return super().training_step(tf.cast(batch[0], tf.float32))

    def callbacks(self):
        return [TrainingExamples(), AnchorCoverage()]


def photos():
    """Two gray images of other shapes than the input, with a white object each."""
    images, objects = [], []
    for (height, width), box in (((64, 128), (16, 8, 64, 40)), ((96, 48), (4, 8, 44, 60))):
        image = np.full((height, width, 3), 90, "uint8")
        image[box[1] : box[3], box[0] : box[2]] = 255
        images.append(image)
        objects.append({"boxes": [box], "labels": ["cat"], "difficult": [width == 48]})
    return BoxArrays({"train": (images, objects)}, image_size=64, batch_size=2, val_fraction=0)


def boxes_of(side, count=20):
    corners = np.random.default_rng(0).uniform(0, 160 - side, (count, 2))
    return np.concatenate([corners, corners + side], axis=1).astype("float32")


# ---- examples


def test_objects_are_shown_once_where_they_lie_in_the_originals():
    rows, task = Sent(), Detector(photos())
    trainer = fitted(task, max_steps=1, logger=rows)
    ((step, (images, captions, boxes)),) = rows.named("train/examples")
    assert step == 0
    assert sorted(captions) == ["image 0", "image 1"]
    for caption, image, sets in zip(captions, images, boxes, strict=True):
        assert list(sets) == ["truth"]
        (box,) = sets["truth"]["box_data"]
        assert box["box_caption"] == ("cat (ignored)" if caption == "image 1" else "cat")
        x0, y0, x1, y1 = (box["position"][side] for side in ("minX", "minY", "maxX", "maxY"))
        white = np.argwhere(image.min(axis=-1) > 172)  # halfway from gray to white
        corners = [*white.min(axis=0)[::-1], *(white.max(axis=0)[::-1] + 1)]
        np.testing.assert_allclose([x0, y0, x1, y1], corners, atol=1.0)

    trainer.max_epochs, trainer.max_steps = 2, -1
    trainer.fit(task)
    assert len(rows.named("train/examples")) == len(rows.named("train/anchor_coverage")) == 1


def test_examples_need_neither_frames_nor_sizes():
    data = RectangleData(3)
    images, objects = data.train
    data.train = images, {name: objects[name] for name in ("boxes", "labels")}
    rows = Sent()
    fitted(Detector(data), max_steps=1, logger=rows, limit_val_batches=0)
    ((_, (shown, _, boxes)),) = rows.named("train/examples")
    assert shown.shape == (3, 384, 384, 3)
    corner = boxes[0]["truth"]["box_data"][0]["position"]["maxX"]
    assert corner == 6 * objects["boxes"][0, 0, 2]  # from 64 to 384 pixels


# ---- the coverage of anchors


@pytest.mark.parametrize("anchors", ["auto", 4.0])
def test_objects_without_an_anchor_are_a_warning_with_its_remedy(anchors, caplog):
    task = Detector(RectangleData(4, side=64), anchors)
    task.data.train[1]["boxes"][:, :, 2:] = task.data.train[1]["boxes"][:, :, :2] + 3.0
    rows = Sent()
    with caplog.at_level(logging.INFO, "lightning_tf.tasks"):
        fitted(task, max_steps=1, logger=rows, limit_val_batches=0)
    (record,) = (r for r in caplog.records if "Anchors cover" in r.message)
    assert record.levelno == logging.WARNING
    assert "Anchors cover 0.000 of" in record.message
    assert "3 x 3 pixels at the median" in record.message
    assert "give anchors='auto'" in record.message
    ((_, figure),) = rows.named("train/anchor_coverage")
    assert figure.axes[0].get_title().startswith("Anchors cover 0.000 of")


@pytest.mark.parametrize(("side", "level"), [(32.0, logging.INFO), (9.0, logging.WARNING)])
def test_only_poor_coverage_is_a_warning(side, level, caplog):
    anchors = AnchorSettings(4.0, "retinanet").build((160, 160), (3, 4, 5, 6), boxes_of(side))
    with caplog.at_level(logging.INFO):
        tell_coverage(anchors, boxes_of(side))
    assert [record.levelno for record in caplog.records] == [level]


def test_the_figure_counts_objects_with_and_without_an_anchor():
    boxes = np.concatenate([boxes_of(32.0, 6000), boxes_of(9.0, 2000)])
    anchors = AnchorSettings(4.0, "retinanet").build((160, 160), (3, 4, 5, 6), boxes)
    (axes,) = coverage_figure(anchors, boxes).axes
    assert axes.get_title() == "Anchors cover 0.750 of 8,000 training objects"
    covered, missed, *of_levels = axes.collections
    assert covered.get_label() == "objects with an anchor: 6,000"
    assert len(covered.get_offsets()) == 3000  # every second one is drawn
    assert missed.get_label() == "objects without: 2,000"
    assert len(of_levels) == 4


# ---- mosaic


@pytest.mark.parametrize(
    ("images", "batch_size", "devices", "message"),
    [
        (8, 3, 1, "a training batch has 3; give batch_size=4"),
        (3, 8, 1, "a training batch has 3; give batch_size=4"),
        (8, 6, 2, "a training batch has 6 on 2 replicas; give batch_size=8"),
    ],
)
def test_a_mosaic_of_fewer_than_four_images_is_refused(images, batch_size, devices, message):
    data = RectangleData(images, batch_size=batch_size)
    task = ObjectDetection(data, backbone="small", image_size=64, mosaic=0.5)
    with pytest.raises(ConfigurationError, match=message):
        fitted(task, max_steps=1, accelerator="cpu", devices=devices)
