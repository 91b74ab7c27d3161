"""DetectedImage: the objects of one image and what a detector found in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError


@dataclass(frozen=True, eq=False)
class DetectedImage:
    """The objects of one image and what a detector found in it, without padding.

    Attributes:
        index: The image's number in its data.
        size: Height and width of the original image.
        boxes: Of the objects, float64 (objects, 4), xyxy in pixels of the original image.
        labels: Their classes, (objects,).
        ignored: Which of them neither count as missed nor make a detection wrong, bool (objects,).
        found_boxes: Of the detections, float64 (detections, 4), by descending score.
        found_labels: Their classes, (detections,).
        scores: float64 (detections,).
    """

    index: int
    size: tuple[int, int]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    found_boxes: NDArray[np.float64]
    found_labels: NDArray[np.int64]
    scores: NDArray[np.float64]

    def above(self, threshold: float) -> "DetectedImage":
        """Return it with the detections whose score is at least `threshold`."""
        kept = self.scores >= threshold
        truth = (self.index, self.size, self.boxes, self.labels, self.ignored)
        return DetectedImage(
            *truth, self.found_boxes[kept], self.found_labels[kept], self.scores[kept]
        )


def detected_images(
    truth: Mapping[str, Any], detections: Mapping[str, Any], classes: int
) -> Iterator[DetectedImage]:
    """Yield the images of a batch.

    Detections that are not finite, as of a network that has diverged, are left out.

    Args:
        truth: ``boxes`` (batch, M, 4) in pixels of the original images, ``labels`` (batch, M)
            with -1 for padding, ``ignored`` (batch, M), ``size`` (batch, 2), ``index`` (batch,).
        detections: ``boxes`` (batch, K, 4) in the same pixels, ``scores`` (batch, K), ``labels``
            (batch, K) with -1 for padding.
        classes: How many there are.

    Raises:
        DataError: A label is no class's.
    """
    for row, index in enumerate(np.asarray(truth["index"]).tolist()):
        labels = np.asarray(truth["labels"][row], np.int64)
        found_labels = np.asarray(detections["labels"][row], np.int64)
        for where, given in (("an object", labels), ("a detection", found_labels)):
            if given.max(initial=-1) >= classes:
                raise DataError(
                    f"{where} of image {index} has the label {given.max()}; there are {classes} "
                    "classes, labels count from 0."
                )

        boxes = np.asarray(truth["boxes"][row], np.float64)  # (M, 4)
        found_boxes = np.asarray(detections["boxes"][row], np.float64)  # (K, 4)
        scores = np.asarray(detections["scores"][row], np.float64)  # (K,)
        is_real = labels >= 0
        is_found = (found_labels >= 0) & np.isfinite(found_boxes).all(axis=1) & np.isfinite(scores)
        places = np.flatnonzero(is_found)
        places = places[np.argsort(-scores[places], kind="stable")]

        height, width = np.asarray(truth["size"][row]).tolist()
        ignored = np.asarray(truth["ignored"][row], np.bool_)
        yield DetectedImage(
            index,
            (height, width),
            boxes[is_real],
            labels[is_real],
            ignored[is_real],
            found_boxes[places],
            found_labels[places],
            scores[places],
        )
