"""object_arrays: the objects of all images as arrays of one shape."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.letterbox import boxes_to_input, letterbox_frame
from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)


def object_arrays(
    annotations: Sequence[ImageAnnotation],
    class_names: Sequence[str],
    image_size: tuple[int, int],
    resize: str,
    max_objects: int,
    ignores_difficult: bool,
) -> dict[str, NDArray[Any]]:
    """Return one row for each image of all that a batch holds beside its pixels.

    Args:
        annotations: With checked boxes.
        class_names: In the order of labels.
        image_size: Height and width of the input.
        resize: ``letterbox`` or ``stretch``.
        max_objects: At least the most objects of an image.
        ignores_difficult: Whether difficult objects are marked as ignored; crowds always are.

    Returns:
        ``boxes`` float32 (images, max_objects, 4), xyxy in pixels of the input, padded with 0;
        ``labels`` int32 (images, max_objects), padded with -1; ``ignored`` bool (images,
        max_objects); ``frame`` float32 (images, 4): x0, y0, scale_x, scale_y; ``size`` int32
        (images, 2): height and width of the upright original; ``index`` int64 (images,).
    """
    count = len(annotations)
    numbers = {name: number for number, name in enumerate(class_names)}
    sizes = np.array([item.size for item in annotations], np.int32).reshape(count, 2)
    frames = letterbox_frame(sizes, image_size, resize)  # (images, 4)
    boxes = np.zeros((count, max_objects, 4), np.float32)
    labels = np.full((count, max_objects), -1, np.int32)
    ignored = np.zeros((count, max_objects), np.bool_)

    for row, item in enumerate(annotations):
        objects = len(item.labels)
        boxes[row, :objects] = boxes_to_input(item.boxes, frames[row])
        labels[row, :objects] = [numbers[label] for label in item.labels]
        ignored[row, :objects] = item.crowd | (item.difficult & ignores_difficult)

    _tell_tiny(annotations, boxes)
    return {
        "boxes": boxes,
        "labels": labels,
        "ignored": ignored,
        "frame": frames,
        "size": sizes,
        "index": np.arange(count, dtype=np.int64),
    }


def room_for(annotations: Sequence[ImageAnnotation], max_objects: int | None) -> int:
    """Return how many objects each image has room for: what is asked for, or what the fullest has.

    Raises:
        DataError: An image has more than `max_objects`.

    Example:
        >>> room_for([ImageAnnotation(None, (9, 9), [[0, 0, 1, 1]] * 2, ["cat", "dog"])], None)
        2
    """
    fullest = max(annotations, key=lambda item: len(item.labels))
    most = max(1, len(fullest.labels))
    if max_objects is not None and max_objects < most:
        raise DataError(
            f"{fullest.name} has {most} objects, max_objects is {max_objects}; nothing is cut: "
            "give more, or None."
        )
    return max_objects or most


def tell_duplicates(annotations: Sequence[ImageAnnotation]) -> None:
    """Warn about objects of one class that have exactly the same box."""
    found = []
    for item in annotations:
        seen: dict[tuple[Any, ...], int] = {}
        for place, (box, label) in enumerate(zip(item.boxes.tolist(), item.labels, strict=True)):
            first = seen.setdefault((label, *box), place)
            if first != place:
                found.append(f"{item.name}, objects {first + 1} and {place + 1} ({label})")
    if found:
        _log.warning(
            "%d objects have the box and class of another one and are kept, the first is %s.",
            len(found),
            found[0],
        )


def _tell_tiny(annotations: Sequence[ImageAnnotation], boxes: NDArray[np.float32]) -> None:
    extents = boxes[..., 2:] - boxes[..., :2]  # (images, objects, 2)
    counts = np.array([len(item.labels) for item in annotations])[:, np.newaxis]
    is_object = np.arange(boxes.shape[1]) < counts
    tiny = np.argwhere((extents.min(axis=-1, initial=np.inf) < 1.0) & is_object)
    if len(tiny):
        row, place = tiny[0]
        _log.warning(
            "%d objects are below 1 pixel after resizing and can hardly be found, the first is "
            "%s, object %d (%s); a larger image_size helps.",
            len(tiny),
            annotations[row].name,
            place + 1,
            annotations[row].labels[place],
        )
