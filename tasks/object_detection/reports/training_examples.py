"""TrainingExamples: training images with their objects, shown before training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_integer
from lightning_tf.data.first_training_batch import first_training_batch
from lightning_tf.tasks.object_detection.detected_image import DetectedImage, detected_images
from lightning_tf.tasks.object_detection.detections import in_original
from lightning_tf.tasks.object_detection.reports.detection_grid import SIDE, box_sets
from lightning_tf.tasks.object_detection.reports.draw_boxes import pad_to_square
from lightning_tf.tasks.object_detection.reports.example_images import cut_input, fit_example
from lightning_tf.trainer import Trainer


class TrainingExamples(Callback):
    """Logs the first training images with their objects when training begins.

    Boxes that are swapped, shifted or of the wrong class are seen here, before hours of training.
    Loggers get images with a set of boxes, ``truth``, named ``train/examples``: originals where the
    data have them, else the input images; without augmentation. A resumed run shows none again.

    Works with every task of `class_names` and batches of ``(images, objects)``.

    Args:
        count: How many images at most, of the first batch.
    """

    logs_metrics = False

    def __init__(self, count: int = 8) -> None:
        self.count = checked_integer("TrainingExamples: count", count, least=1)

    def on_fit_start(self, trainer: Trainer, task: Any) -> None:
        """Log the images; of several workers the chief alone."""
        if trainer.global_step or not trainer.loggers or not trainer.is_global_zero:
            return

        images, objects = first_training_batch(task.data)
        objects = _with_places(images, objects)
        truth = _without_detections(objects, len(task.class_names))[: self.count]
        original = getattr(task.data, "original", None)
        examples = [
            fit_example(
                original(image.index) if original else cut_input(pixels, frame, image.size),
                image,
                SIDE,
            )
            for pixels, frame, image in zip(images, objects["frame"], truth, strict=False)
        ]

        boxes = [box_sets(example.image, task.class_names) for example in examples]
        trainer.log_images(
            "train/examples",
            np.stack([pad_to_square(example.pixels) for example in examples]),
            captions=[f"image {example.image.index}" for example in examples],
            boxes=[{"truth": sets["truth"]} for sets in boxes],
        )


def _with_places(images: NDArray[Any], objects: Mapping[str, Any]) -> dict[str, Any]:
    """Return objects with what a batch to train with may lack: then the input is the original."""
    count, height, width = images.shape[:3]
    return {
        "ignored": np.zeros(objects["labels"].shape, np.bool_),
        "frame": np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1)),
        "size": np.tile(np.array([height, width], np.int32), (count, 1)),
        "index": np.arange(count),
        **objects,
    }


def _without_detections(objects: dict[str, Any], classes: int) -> list[DetectedImage]:
    count = len(objects["labels"])
    boxes = in_original(objects["boxes"], objects["frame"], objects["size"])
    nothing = {
        "boxes": np.zeros((count, 0, 4)),
        "scores": np.zeros((count, 0)),
        "labels": np.zeros((count, 0), np.int64),
    }
    return list(detected_images({**objects, "boxes": boxes}, nothing, classes))
