"""Reports and files of detections go with the data of detection."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import NumberTask, Rows, quiet
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data.boxes.formats.box_arrays import BoxArrays
from lightning_tf.data.boxes.formats.box_table import BoxTable
from lightning_tf.tasks.object_detection.detection_writer import DetectionWriter
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.detection_grid import DetectionGrid

SIZES = [(40, 60), (64, 48), (33, 77), (50, 50)]


class FindsAll(NumberTask):
    """Finds every object where it is; predicts the middle of each image."""

    class_names = ("cat", "dog")

    def configure_host_metrics(self):
        return {"map": MeanAveragePrecision(self.class_names)}

    def validation_step(self, batch):
        objects = batch[1]
        frame, labels = objects["frame"][:, tf.newaxis], objects["labels"]
        offset, scale = tf.tile(frame[..., :2], [1, 1, 2]), tf.tile(frame[..., 2:], [1, 1, 2])
        boxes = (objects["boxes"] - offset) / scale  # (batch, objects, 4)
        scores = tf.where(labels >= 0, 0.9, 0.0)
        self.collect("detections", {"boxes": boxes, "labels": labels, "scores": scores})
        truth = {name: objects[name] for name in ("labels", "ignored", "size", "index")}
        self.collect("truth", {**truth, "boxes": boxes})

    def predict_step(self, batch):
        sides = tf.cast(batch[1]["size"], tf.float32)[:, ::-1]  # width and height
        boxes = tf.concat([0.25 * sides, 0.75 * sides], axis=1)[:, tf.newaxis]
        ones = tf.ones_like(batch[1]["size"][:, :1])
        scores = 0.9 * tf.cast(ones, tf.float32)
        return {"boxes": boxes, "labels": ones, "scores": scores, "count": ones[:, 0]}


def pixels(size):
    return np.random.default_rng(0).integers(90, 160, (*size, 3)).astype("uint8")


def arrays():
    objects = [
        {"boxes": [[3, 4, 30, 31.5], [1, 1, 9, 9]], "labels": ["cat", "dog"]},
        {"boxes": [[5, 6, 40, 30]], "labels": ["dog"], "difficult": [True]},
        {"boxes": np.zeros((0, 4)), "labels": []},
        {"boxes": [[10, 10, 40, 40]], "labels": ["cat"]},
    ]
    pair = ([pixels(size) for size in SIZES], objects)
    return BoxArrays({"train": pair, "val": pair, "test": pair}, image_size=32, batch_size=3)


def test_what_the_data_call_an_object_is_found_and_shown(tmp_path):
    class Kept(Rows):
        def log_images(self, name, images, step, captions=None, masks=None, boxes=None):
            self.sent.append((name, images, captions, boxes))

    rows = Kept()
    data = arrays()
    values = Trainer(**quiet(logger=rows, callbacks=[DetectionGrid()])).test(FindsAll(data))
    assert values["test_map"] == pytest.approx(1.0)
    _, images, captions, boxes = rows.sent[-1]
    first = len(data.annotations) - 4  # the test split is the last
    assert captions == [f"image {first + place}" for place in range(4)]
    assert images.shape == (4, 384, 384, 3)
    (cat, dog) = boxes[0]["truth"]["box_data"]
    assert cat["position"]["maxX"] == pytest.approx(30 * 384 / 60, abs=0.01)
    assert dog["position"]["maxY"] == pytest.approx(9 * 384 / 60, abs=0.01)
    assert boxes[1]["truth"]["box_data"][0]["box_caption"] == "dog (ignored)"
    assert boxes[2]["truth"]["box_data"] == []


def table_of_files(folder, names):
    rows = []
    for name, size in zip(names, SIZES, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(size)).save(folder / name)
        rows += [{"filename": name, "class": "cat", "xmin": 3, "ymin": 4, "xmax": 20, "ymax": 21}]
    return pd.DataFrame([*rows, {**rows[0], "class": "dog", "xmax": 30}])


def test_files_are_named_as_the_data_name_them(tmp_path):
    names = ["a/photo.jpg", "b/photo.jpg", "b/more.png", "c.png"]
    table = table_of_files(tmp_path, names)
    options = {"images_dir": tmp_path, "image_size": 32, "batch_size": 3}
    task = FindsAll(BoxTable({"test": table}, **options))
    writer = DetectionWriter(tmp_path / "out", format="json", save_images=True)
    for _ in Trainer(**quiet(callbacks=[writer])).predict(task):
        pass
    images = json.loads(Path(writer.files[0]).read_text())
    assert sorted(image["file_name"] for image in images) == sorted(names)
    for image in images:
        width, height = image["width"], image["height"]
        assert (height, width) == SIZES[names.index(image["file_name"])]
        box = [0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height]
        assert image["detections"] == [{"class": "dog", "score": 0.9, "box": box}]
        with Image.open(tmp_path / "out/images" / image["file_name"]) as drawn:
            assert drawn.size == (width, height)


@pytest.mark.slow
def test_written_csv_can_be_read_as_annotations(tmp_path):
    names = ["a.png", "b.png", "c.png", "d.png"]
    table = table_of_files(tmp_path, names)
    options = {"images_dir": tmp_path, "image_size": 32}
    task = FindsAll(BoxTable({"test": table}, **options))
    writer = DetectionWriter(tmp_path / "out", format="csv")
    for _ in Trainer(**quiet(callbacks=[writer])).predict(task):
        pass
    again = BoxTable({"train": writer.files[0]}, val_fraction=0.0, **options)
    again.setup("fit")
    assert [item.path.name for item in again.annotations] == names
    assert [item.labels for item in again.annotations] == [("dog",)] * 4
    boxes = [item.boxes[0].tolist() for item in again.annotations]
    assert boxes == [[w / 4, h / 4, 0.75 * w, 0.75 * h] for h, w in SIZES]
