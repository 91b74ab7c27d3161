"""BoxMatches: which detection of an image has found which object, by COCO's rule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_tf.tasks.object_detection.detected_image import DetectedImage

NOTHING = -1


@dataclass(frozen=True, eq=False)
class BoxMatches:
    """Which detection of an image has found which object.

    Attributes:
        object_of: For each detection the object that it has found, or -1.
        is_ignored: Which detections lie in an ignored object, and count neither way.
        is_found: Which objects a detection has found.
    """

    object_of: NDArray[np.int64]
    is_ignored: NDArray[np.bool_]
    is_found: NDArray[np.bool_]


def match_boxes(image: DetectedImage, iou: float = 0.5, any_class: bool = False) -> BoxMatches:
    """Match detections and objects one to one, the detections with the highest scores first.

    Each takes the object of its class that it overlaps most, of those that are left; one that
    finds none and lies in an ignored object of its class is ignored. As ``evaluateImg`` of
    pycocotools (https://github.com/cocodataset/cocoapi, cocoeval.py) does it.

    Args:
        image: Objects and detections.
        iou: From here on a detection has found an object.
        any_class: Whether objects of other classes may be found, too.
    """
    alike = image.found_labels[:, np.newaxis] == image.labels  # (detections, objects)
    overlaps = box_overlaps(image.found_boxes, image.boxes, image.ignored)
    overlaps = np.where(alike | any_class, overlaps, -1.0)

    is_free = ~image.ignored
    object_of = np.full(len(image.scores), NOTHING, np.int64)
    is_ignored = np.zeros(len(image.scores), np.bool_)
    # No threshold of 1: boxes that are equal up to rounding would not match.
    least = min(iou, 1.0 - 1e-10)
    for detection, overlap in enumerate(overlaps):
        choices = np.where(is_free, overlap, -1.0)
        # The last of several that overlap alike, as the reference takes it.
        best = len(choices) - 1 - int(choices[::-1].argmax()) if len(choices) else NOTHING
        if best != NOTHING and choices[best] >= least:
            object_of[detection] = best
            is_free[best] = False
        else:
            is_ignored[detection] = bool((overlap[image.ignored] >= least).any())

    is_found = np.zeros(len(image.labels), np.bool_)
    is_found[object_of[object_of != NOTHING]] = True
    return BoxMatches(object_of, is_ignored, is_found)


def box_overlaps(
    found: NDArray[np.float64], boxes: NDArray[np.float64], ignored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the IoU of every detection with every object, shape (detections, objects).

    With an ignored object it is the share of the detection that lies in it.
    """
    low = np.maximum(found[:, np.newaxis, :2], boxes[np.newaxis, :, :2])
    high = np.minimum(found[:, np.newaxis, 2:], boxes[np.newaxis, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)  # (detections, objects)

    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)  # (objects,)
    found_area = np.prod(found[:, 2:] - found[:, :2], axis=-1)[:, np.newaxis]
    union = np.where(ignored, found_area, found_area + area - shared)
    overlaps: NDArray[np.float64] = shared / np.maximum(union, np.finfo(np.float64).tiny)
    return overlaps
