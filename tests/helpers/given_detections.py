"""A task whose detections are given beside its objects, to be measured and shown."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from helpers.boring import NumberTask, fitted
from helpers.detected_scenes import CLASSES, scenes
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.data import ArrayData
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.tasks.object_detection.detection_writer import detection_writer
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision

TRUTH = ("boxes", "labels", "ignored", "size", "index")


def given_data(outputs, images=None, batch_size=8):
    """Return data whose batches hold objects, as a detector's, and the detections to be given."""
    truth, found = outputs["truth"], outputs["detections"]
    count = len(truth["index"])
    if images is None:
        images = np.zeros((count, 1, 1, 3), "uint8")
    objects = {**truth, "frame": np.tile(np.array([[0, 0, 1, 1]], "float32"), (count, 1))}
    rows = (images, {**objects, **{f"given_{name}": array for name, array in found.items()}})
    few = (rows[0][:4], {name: array[:4] for name, array in rows[1].items()})
    return ArrayData(*few, val=rows, test=rows, batch_size=batch_size)


class GivenDetections(NumberTask):
    """Learns nothing and finds what it is given."""

    score_threshold = 0.3

    def __init__(self, data, class_names):
        super().__init__(data)
        self.class_names = class_names

    def configure_host_metrics(self):
        return {"map": MeanAveragePrecision(self.class_names)}

    def training_step(self, batch):
        return tf.reduce_mean(batch[1]["given_scores"]) * (1.0 + self.weight)

    def validation_step(self, batch):
        self.collect("detections", self.predict_step(batch))
        self.collect("truth", {name: batch[1][name] for name in TRUTH})
        return tf.reduce_mean(batch[1]["given_scores"])

    def predict_step(self, batch):
        given = batch[1].items()
        return {name[6:]: part for name, part in given if name.startswith("given_")}


def measured_by_a_run(folder=None, kind="tied scores", batch_size=7, **options):
    """Return what validation and test measure of given detections."""
    names = [str(label) for label in range(CLASSES)]
    task = GivenDetections(given_data(scenes(kind, 30), batch_size=batch_size), names)
    trainer = fitted(task, max_epochs=1, accelerator="cpu", **options)
    val = {name: value for name, value in trainer.callback_metrics.items() if "val_m" in name}
    tests = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **options,
    ).test(task)
    return {**val, **{name: value for name, value in tests.items() if "test_m" in name}}


class GivenSource:
    """Examples by index: images, and objects with the detections to be given."""

    def __init__(self, images, objects):
        self.images, self.objects = images, objects

    def batches(self, indices, batch_size):
        rows = (self.images[indices], {name: part[indices] for name, part in self.objects.items()})
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)

    def inputs(self, indices, batch_size):
        return self.batches(indices, batch_size)


class NamedScenes(IndexedData):
    """Images in files, as a detector's data have them: with `annotations` and `original`."""

    def __init__(self, folder, outputs, sizes=((48, 64), (64, 32)), order=None, batch_size=2):
        super().__init__(batch_size)
        count = len(outputs["truth"]["index"])
        self.order = np.arange(count) if order is None else np.asarray(order)
        self.annotations = [
            SimpleNamespace(
                path=Path(folder, f"part{place % 2}", f"photo {place}.{'jpg' if place else 'png'}"),
                size=sizes[place % len(sizes)],
            )
            for place in range(count)
        ]
        outputs["truth"]["size"] = np.array([item.size for item in self.annotations], "int32")
        for item in self.annotations:
            item.path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(0).integers(90, 160, (*item.size, 3)).astype("uint8")
            Image.fromarray(noise).save(item.path)
        data = given_data(outputs)
        data.setup("fit")
        self.source = data.splits["val"].source
        rows = next(iter(self.source.batches(np.arange(count), count)))
        self.rows = tf.nest.map_structure(lambda part: part.numpy(), rows)

    def original(self, index):
        with Image.open(self.annotations[index].path) as image:
            return np.asarray(image)

    def load(self):
        source = GivenSource(*self.rows)
        return {name: Split(source, self.order) for name in ("train", "val", "test")}


class NamedDetections(GivenDetections):
    """The same task over images in files of the folder that one is in."""

    def __init__(self):
        super().__init__(NamedScenes(".", small_scenes()), ["cat", "dog"])

    def prediction_writer(self, directory, format, save_images=False):
        return detection_writer(directory, format, save_images)


def small_scenes():
    """Return four images of which the first has two objects and a mistake, the last has nothing."""
    outputs = scenes("plain", 4, 2)
    truth, found = outputs["truth"], outputs["detections"]
    for array in (truth["boxes"], found["boxes"], found["scores"], found["count"]):
        array[:] = 0
    truth["labels"][:], found["labels"][:] = -1, -1
    truth["boxes"][:3, 0], truth["labels"][:3, 0] = [4, 4, 24, 28], [0, 1, 0]
    truth["boxes"][0, 1], truth["labels"][0, 1] = [40, 10, 60, 44], 1
    found["boxes"][:3, 0], found["labels"][:3, 0] = [5, 4, 24, 29.25], [0, 1, 0]
    found["scores"][:3, 0], found["count"][:3] = [0.9, 0.8, 0.7], 1
    found["boxes"][0, 1], found["scores"][0, 1], found["labels"][0, 1] = [30, 2, 40, 9], 0.6, 1
    found["boxes"][0, 2], found["scores"][0, 2], found["labels"][0, 2] = [1, 1, 9, 9], 0.1, 0
    found["count"][0] = 3
    return outputs
