"""confusion_counts: how often objects of which class are detected as which, or not at all."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.object_detection.detected_image import DetectedImage
from lightning_tf.tasks.object_detection.reports.box_matches import NOTHING, match_boxes


def confusion_counts(
    images: Iterable[DetectedImage], classes: int, iou: float = 0.5
) -> NDArray[np.int64]:
    """Count what objects are detected as.

    Detections first take objects of their own class, then what is left takes what is left of
    other classes: a wrong class on the right place. Ignored objects count nowhere, nor does what
    lies in them.

    Args:
        images: With the detections that count.
        classes: How many there are.
        iou: From here on a detection has found an object.

    Returns:
        Integers of shape (classes + 1, classes + 1). Rows are true classes, columns detected ones;
        the last row is background that was taken for an object, the last column objects that were
        missed.
    """
    counts: NDArray[np.int64] = np.zeros((classes + 1, classes + 1), np.int64)
    for image in images:
        match = match_boxes(image, iou)
        right = image.found_labels[match.object_of != NOTHING]
        np.add.at(counts, (right, right), 1)

        rest = _without(image, match.is_found, (match.object_of != NOTHING) | match.is_ignored)
        other = match_boxes(rest, iou, any_class=True)
        hit = other.object_of != NOTHING
        np.add.at(counts, (rest.labels[other.object_of[hit]], rest.found_labels[hit]), 1)
        background = rest.found_labels[~hit & ~other.is_ignored]
        missed = rest.labels[~other.is_found & ~rest.ignored]
        counts[classes] += np.bincount(background, minlength=classes + 1)
        counts[:, classes] += np.bincount(missed, minlength=classes + 1)
    return counts


def _without(
    image: DetectedImage, objects: NDArray[np.bool_], detections: NDArray[np.bool_]
) -> DetectedImage:
    """Return an image without some of its objects and detections."""
    return DetectedImage(
        image.index,
        image.size,
        image.boxes[~objects],
        image.labels[~objects],
        image.ignored[~objects],
        image.found_boxes[~detections],
        image.found_labels[~detections],
        image.scores[~detections],
    )
