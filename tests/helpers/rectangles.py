"""Colored rectangles on noise, as data of object detection."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lightning_tf import DataModule

COLORS = np.array([[230, 40, 40], [40, 230, 40], [40, 40, 230]], "float32")
NAMES = ["red", "green", "blue"]


def scene(seed, side=64, most=3, classes=2, rows=4, least=None, empty=False):
    """Return an image and its objects, at most `most` rectangles that do not touch."""
    random = np.random.default_rng(seed)
    image = random.normal(114.0, 12.0, (side, side, 3))
    boxes = np.zeros((rows, 4), "float32")
    labels = np.full(rows, -1, "int32")
    wanted = 0 if empty else random.integers(1 if least is None else least, most + 1)
    count = 0
    for _ in range(50):
        if count == wanted:
            break
        w, h = random.integers(side // 6, side // 2, 2)
        x, y = random.integers(0, side - w), random.integers(0, side - h)
        box = np.array([x, y, x + w, y + h], "float32")
        gap = np.minimum(boxes[:count, 2:], box[2:]) - np.maximum(boxes[:count, :2], box[:2])
        if (gap > -2).all(axis=1).any():
            continue
        label = random.integers(classes)
        image[y : y + h, x : x + w] = COLORS[label]
        boxes[count], labels[count] = box, label
        count += 1
    return image.clip(0, 255).astype("uint8"), boxes, labels


def scenes(count, seed=0, frame=(0.0, 0.0, 1.0, 1.0), **options):
    """Return arrays of images and objects."""
    images, boxes, labels = zip(*(scene([seed, k], **options) for k in range(count)), strict=True)
    images, boxes, labels = np.stack(images), np.stack(boxes), np.stack(labels)
    side = images.shape[1]
    objects = {
        "boxes": boxes,
        "labels": labels,
        "ignored": np.zeros(labels.shape, bool),
        "frame": np.tile(np.float32(frame), (count, 1)),
        "size": np.tile(np.int32([side, side]), (count, 1)),
        "index": np.arange(count),
    }
    return images, objects


class RectangleData(DataModule):
    """Batches of scenes; what is validated is what is trained on, unless `held_out` is more."""

    def __init__(self, count=8, batch_size=8, held_out=0, classes=2, shuffled=False, **options):
        super().__init__(batch_size)
        self.train = scenes(count, classes=classes, **options)
        self.val = scenes(held_out, seed=1, classes=classes, **options) if held_out else self.train
        self.class_names, self.shuffled = NAMES[:classes], shuffled
        self.input_shape = self.train[0].shape[1:]

    def train_dataset(self, epoch):
        arrays = self.train
        if self.shuffled:
            order = np.random.RandomState([self.order_seed, epoch]).permutation(len(arrays[0]))
            arrays = tf.nest.map_structure(lambda array: array[order], arrays)
        return tf.data.Dataset.from_tensor_slices(arrays).batch(self.batch_size)

    def val_dataset(self):
        return tf.data.Dataset.from_tensor_slices(self.val).batch(self.batch_size)

    test_dataset = val_dataset

    def predict_dataset(self):
        return self.val_dataset().map(lambda images, objects: (images, _without_truth(objects)))


def _without_truth(objects):
    return {name: objects[name] for name in ("frame", "size", "index")}
