"""DetectionWriter: writes detections to a file, and images with their boxes."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_choice
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run.prediction_folder import prediction_folder, refuse_several_sets
from lightning_tf.tasks.object_detection.detection_file import FORMATS, DetectionFile
from lightning_tf.tasks.object_detection.predicted_image import (
    PredictedImage,
    image_names,
    predicted_images,
)
from lightning_tf.tasks.object_detection.reports.draw_boxes import (
    CLASS_COLORS,
    DrawnBox,
    draw_boxes,
)
from lightning_tf.trainer import Trainer

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
NAME = "detections"


class DetectionWriter(Callback):
    """Writes the detections of `Trainer.predict`, in the order of the data, image by image.

    ``coco`` is COCO's results as JSON, ``csv`` a row for each detection, ``json`` a list with a
    dict for each image. Boxes are in pixels of the original images. The file appears under its name
    once it is whole; one of an earlier prediction is replaced.

    Args:
        directory: Made where it is missing. None is ``predictions`` in the folder of the run that
            went before, or in the Trainer's `default_root_dir`.
        format: ``coco``, ``csv`` or ``json``.
        save_images: Whether images with their boxes are drawn into the folder ``images``; the data
            must have a method `original` from an index to an image.

    Raises:
        ConfigurationError: The format is unknown; in prediction, the data have no `original`.
        DataError: In prediction, `predict_step` gives no detections.

    Attributes:
        files: The file of the last prediction, and its images.

    Example:
        >>> writer = task.prediction_writer("found", "coco", save_images=True)
        >>> Trainer(callbacks=[writer]).predict(task)  # at once: nobody needs to iterate
        >>> json.loads(Path(writer.files[0]).read_text())[0]["category"]
        'raccoon'
    """

    logs_metrics = False
    consumes_predictions = True

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        format: str = "coco",
        save_images: bool = False,
    ) -> None:
        self.format = checked_choice("DetectionWriter: format", format, list(FORMATS))
        self.directory, self.save_images = directory, save_images
        self.files: list[str] = []
        self._folder = Path()
        self._open: DetectionFile | None = None
        self._images: list[str] = []
        self._count = 0

    def on_predict_start(self, trainer: Trainer, task: Any) -> None:
        """Open the file."""
        self.files, self._images, self._count = [], [], 0
        if self.save_images and not hasattr(task.data, "original"):
            raise ConfigurationError(
                f"save_images: {type(task.data).__name__} has no method `original` that gives an "
                "image by its index; write one, or leave save_images out."
            )

        self._folder = prediction_folder(trainer, self.directory)
        if not trainer.is_global_zero:  # every worker has all predictions
            return

        kind = FORMATS[self.format]
        self._open = kind(self._folder / f".{NAME}.{kind.suffix}.part", task.class_names)
        self._name_of = image_names(task.data)

    def on_predict_batch_end(
        self, trainer: Trainer, task: Any, outputs: Any, batch_idx: int
    ) -> None:
        """Write the detections of a batch."""
        refuse_several_sets(trainer, "DetectionWriter")
        if self._open is None:
            return
        for image in predicted_images(outputs, self._count, self._name_of):
            self._open.write(image)
            if self.save_images:
                pixels = np.asarray(task.data.original(image.index))
                self._save_image(image, pixels, task.class_names)
            self._count += 1

    def on_predict_end(self, trainer: Trainer, task: Any) -> None:
        """Give the file its name."""
        if self._open is None:
            return
        self._open.close()
        path = self._folder / f"{NAME}.{self._open.suffix}"
        os.replace(self._open.path, path)  # whole now: readers see all of it or nothing
        self._open = None
        self.files = [str(path), *self._images]
        trainer.log_file(NAME, str(path))

    def teardown(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Delete a file that is not whole: somebody stopped iterating."""
        self._drop()

    def on_exception(self, trainer: Trainer, task: Any, exception: BaseException) -> None:
        """Delete a file that is not whole."""
        self._drop()

    def _drop(self) -> None:
        if self._open is not None:
            self._open.drop()
            self._open = None

    def _save_image(self, image: PredictedImage, pixels: Any, class_names: list[str]) -> None:
        from PIL import Image

        name = PurePosixPath(image.file_name)
        if name.suffix.lower() not in IMAGE_SUFFIXES:
            name = name.with_name(f"{name.name}.png")
        path = self._folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = Image.fromarray(draw_boxes(pixels, class_boxes(image, class_names)))
        drawn.save(path, quality=92)  # of a JPEG
        self._images.append(str(path))


def class_boxes(image: PredictedImage, class_names: list[str]) -> list[DrawnBox]:
    """Return detections as they are drawn: by the color of their class, the best first."""
    found = zip(image.boxes.tolist(), image.labels.tolist(), image.scores.tolist(), strict=True)
    return [
        DrawnBox(
            (x0, y0, x1, y1),
            f"{class_names[label]} {score:.2f}",
            CLASS_COLORS[label % len(CLASS_COLORS)],
        )
        for (x0, y0, x1, y1), label, score in found
    ]


def detection_writer(
    directory: str | os.PathLike[str] | None, format: str, save_images: bool = False
) -> DetectionWriter | None:
    """Return what writes detections in a format, None where `PredictionWriter` does.

    Args:
        directory: See `DetectionWriter`.
        format: ``npz``, for arrays, or one of `DetectionWriter`'s.
        save_images: See `DetectionWriter`.
    """
    if format == "npz" and not save_images:
        return None
    return DetectionWriter(directory, format=format, save_images=save_images)
