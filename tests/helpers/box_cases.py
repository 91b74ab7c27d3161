"""A task on images with boxes that must end alike on one device and on several workers."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from helpers.boring import quiet
from helpers.boxes import voc_object, voc_xml, write_voc_item
from helpers.replicated import outcome

from lightning_tf import Task, Trainer
from lightning_tf.data import VocFolder

IMAGES = 11  # odd: the parts of two workers are unlike


def write_images(root):
    """Write images of different sizes with one to three objects each."""
    random = np.random.RandomState(0)
    for number in range(IMAGES):
        size = (30 + number, 50 - number)
        low = random.uniform(0, 12, (1 + number % 3, 2))
        boxes = np.concatenate([low, low + random.uniform(4, 15, low.shape)], 1)
        objects = [voc_object(("cat", "dog")[number % 2], box) for box in boxes.tolist()]
        name = f"{number:02d}"
        write_voc_item(root, name, voc_xml(*objects, size=size, filename=f"{name}.png"), size)


class CenterTask(Task):
    """Says where the objects of an image are on average."""

    def __init__(self, root, in_memory):
        options = {"image_size": 32, "batch_size": 4, "val_fraction": 0.3, "in_memory": in_memory}
        self.data = VocFolder(Path(root), **options)

    def configure_model(self):
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(4)]
        self.model = keras.Sequential([keras.Input((32, 32, 3)), *layers])

    def configure_optimizers(self):
        return keras.optimizers.SGD(1e-4)

    def training_step(self, batch):
        images, objects = batch
        is_object = keras.ops.cast(objects["labels"] >= 0, "float32")[..., None]
        count = keras.ops.sum(is_object, axis=1)
        center = keras.ops.sum(objects["boxes"] * is_object, axis=1) / count
        wrong = keras.ops.square(self.model(images) - center / 32.0)
        return keras.ops.mean(keras.ops.mean(wrong, axis=-1))

    def validation_step(self, batch):
        return self.training_step(batch)


CASES = {"streamed": False, "in memory": True}


def ends(root, in_memory, devices=1):
    """Return what a fit of two epochs ends with."""
    return outcome(lambda: CenterTask(root, in_memory), devices, max_epochs=2, predicts=False)


def fits(folder, root):
    """Fit every case and return how it ends."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))  # joins the others
    return {name: ends(root, in_memory) for name, in_memory in CASES.items()}
