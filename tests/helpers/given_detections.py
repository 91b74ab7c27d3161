"""A task whose detections are given beside its objects, to be measured and shown."""

import numpy as np
import tensorflow as tf
from helpers.boring import NumberTask, fitted
from helpers.detected_scenes import CLASSES, scenes

from lightning_tf import Trainer
from lightning_tf.data import ArrayData
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
        if not isinstance(batch, tuple):  # ArrayData's inputs have no objects
            count = tf.shape(batch)[0]
            return {"boxes": tf.zeros([count, 1, 4])}
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
