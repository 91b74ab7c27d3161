"""BoxArrays: images and boxes in memory."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.formats.box_format import BOX_FORMATS, to_xyxy
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.splits_of import splits_of
from lightning_tf.data.images.image import Image
from lightning_tf.exceptions import ConfigurationError, DataError

KNOWN = frozenset({"boxes", "labels", "difficult", "crowd"})

_log = logging.getLogger(__name__)

Pair = tuple[Any, Sequence[Mapping[str, Any]]]


class BoxArrays(AnnotatedImages):
    """Images in memory, each with a dict of ``boxes`` and ``labels``.

    Args:
        data: Images, uint8 or float in [0, 1], one array or a list of arrays (height, width, 3) of
            any sizes; and one dict for each: ``boxes`` of shape (objects, 4), ``labels`` as class
            names or integers, and where wanted ``difficult`` and ``crowd``. Or a dict of such
            pairs for ``train``, ``val`` and ``test``.
        box_format: ``xyxy``, ``xywh``, ``center_xywh``, or with ``rel_`` before it as fractions.
        **options: Those of `AnnotatedImages`. Integers as labels count in `class_names`, where
            there are any.

    Example:
        >>> image = np.zeros((20, 30, 3), "uint8")
        >>> data = BoxArrays(([image] * 4, [{"boxes": [[1, 2, 9, 8]], "labels": ["cat"]}] * 4))
        >>> data.setup("fit")
        >>> data.class_names, data.max_objects
        (['cat'], 1)
    """

    def __init__(self, data: Any, *, box_format: str = "xyxy", **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        if box_format not in BOX_FORMATS:
            raise ConfigurationError(
                f"box_format is {box_format!r}; give one of {', '.join(BOX_FORMATS)}."
            )
        self._pairs, self._box_format = splits_of(data), box_format

    def read(self) -> Annotations:
        """Return the annotations of every split."""
        self._left_out: set[str] = set()
        annotations = {name: self._read_pair(name, pair) for name, pair in self._pairs.items()}
        if self._left_out:
            _log.warning(
                "Entries of the objects' dicts that are not used: %s. What shall be neither learnt "
                "nor counted as a mistake is 'crowd' or 'difficult'.",
                ", ".join(sorted(self._left_out)),
            )
        return annotations

    def _read_pair(self, split: str, pair: Any) -> list[ImageAnnotation]:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise DataError(
                f"The {split} data are no pair (images, objects); give two of a length."
            )
        images, objects = pair
        if isinstance(objects, Mapping) or not hasattr(objects, "__len__"):
            raise DataError(
                f"The objects of the {split} data are a {type(objects).__name__}; give a list with "
                "one dict of 'boxes' and 'labels' for each image, without rows of padding."
            )
        if len(images) != len(objects):
            raise DataError(
                f"The {split} data have {len(images)} images and {len(objects)} dicts of objects; "
                "give one for each image."
            )
        return [
            self._annotation(f"{split} image {place}", image, marked)
            for place, (image, marked) in enumerate(zip(images, objects, strict=True))
        ]

    def _annotation(self, name: str, image: Any, marked: Any) -> ImageAnnotation:
        if not isinstance(marked, Mapping) or not {"boxes", "labels"} <= set(marked):
            raise DataError(f"The objects of {name} are no dict with 'boxes' and 'labels'.")
        pixels = Image.read(image, name=name).pixels
        size = pixels.shape[0], pixels.shape[1]
        self._left_out.update(set(map(str, marked)) - KNOWN)
        boxes = _numbers(f"boxes of {name}", marked["boxes"])
        if (boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4)) or not boxes.ndim:
            raise DataError(f"The boxes of {name} have shape {boxes.shape}; give (objects, 4).")
        return ImageAnnotation(
            None,
            size,
            to_xyxy(boxes, self._box_format, size),
            tuple(self._label(name, label) for label in _list(name, marked["labels"])),
            marked.get("difficult"),
            marked.get("crowd"),
            pixels,
            name,
        )

    def _label(self, name: str, label: Any) -> str:
        if isinstance(label, bytes):
            label = label.decode(errors="replace")
        if isinstance(label, float) and label.is_integer():  # keras-hub's labels are floats
            label = int(label)
        is_name = isinstance(label, str) and bool(label.strip())
        if isinstance(label, bool) or not (is_name or isinstance(label, int)):
            raise DataError(f"{name} has label {label!r}; give a class's name or an integer.")
        if is_name:
            return str(label)

        if label < 0 and self._names is None:
            raise DataError(f"{name} has label {label}; leave rows of padding out.")
        if self._names is None:
            return str(label)
        if not 0 <= label < len(self._names):
            raise DataError(
                f"{name} has label {label}; class_names has {len(self._names)}: 0 to "
                f"{len(self._names) - 1}."
            )
        return str(self._names[label])


def _numbers(what: str, values: Any) -> NDArray[Any]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The {what} are no numbers of shape (objects, 4): {error}.") from error


def _list(name: str, labels: Any) -> list[Any]:
    """Return one label for each object, which may be names and numbers."""
    labels = labels.numpy() if hasattr(labels, "numpy") else labels
    labels = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Sequence):
        raise DataError(f"The labels of {name} are {labels!r}; give one for each object.")
    return [label.item() if isinstance(label, np.generic) else label for label in labels]
