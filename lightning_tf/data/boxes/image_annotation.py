"""ImageAnnotation: one image and the objects that are marked in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.exceptions import DataError


@dataclass(frozen=True, eq=False, init=False)
class ImageAnnotation:
    """The objects of one image.

    Attributes:
        path: Its file; None where it lies in memory.
        size: Height and width of the upright image; (0, 0) where they are not known yet.
        boxes: float64 of shape (objects, 4): xyxy in pixels of the upright image, x from its left
            edge, 0 to its width.
        labels: The class name of each object.
        difficult: bool of shape (objects,): hard to see, as VOC marks it.
        crowd: bool of shape (objects,): a box around many, as COCO marks it.
        pixels: uint8 of shape (height, width, 3), of an image in memory.
        name: What messages call it; the file's name where it is empty.

    Args:
        path: See the attribute, and so for the others; `difficult` and `crowd` are False by
            default.

    Raises:
        DataError: The numbers of boxes, labels and marks differ, or `boxes` have another shape.

    Example:
        >>> ImageAnnotation(Path("a.jpg"), (30, 40), [[1, 2, 11, 22]], ["cat"]).boxes
        array([[ 1.,  2., 11., 22.]])
    """

    path: Path | None
    size: tuple[int, int]
    boxes: NDArray[np.float64]
    labels: tuple[str, ...]
    difficult: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    pixels: NDArray[np.uint8] | None = field(repr=False)
    name: str

    def __init__(
        self,
        path: Path | None,
        size: tuple[int, int],
        boxes: Any,
        labels: Iterable[str],
        difficult: Any = None,
        crowd: Any = None,
        pixels: NDArray[np.uint8] | None = None,
        name: str = "",
    ) -> None:
        """Bring lists to arrays and check that they belong together."""
        name = name or (path.name if path else "image")
        marked = tuple(labels)
        array: NDArray[np.float64] = np.asarray(boxes, np.float64)
        array = array.reshape(-1, 4) if array.size == 0 else array
        marks: dict[str, NDArray[np.bool_]] = {
            mark: np.zeros(len(marked), np.bool_) if value is None else np.asarray(value, np.bool_)
            for mark, value in (("difficult", difficult), ("crowd", crowd))
        }
        shapes = [mark.shape for mark in marks.values()]
        if array.shape != (len(marked), 4) or any(shape != (len(marked),) for shape in shapes):
            raise DataError(
                f"{name} has boxes of shape {array.shape}, {len(marked)} labels, and marks of "
                f"shapes {shapes}; give (objects, 4), and one of each for every object."
            )
        values = {"path": path, "size": size, "boxes": array, "labels": marked, "pixels": pixels}
        for key, value in {**values, "name": name, **marks}.items():
            object.__setattr__(self, key, value)  # a frozen dataclass

    def keep(self, which: NDArray[Any]) -> "ImageAnnotation":
        """Return the annotation with some of its objects.

        Args:
            which: Their indices, or a bool for each.
        """
        places = np.arange(len(self.labels))[which]
        return self.replace(
            boxes=self.boxes[places],
            labels=tuple(self.labels[place] for place in places),
            difficult=self.difficult[places],
            crowd=self.crowd[places],
        )

    def replace(self, **changes: Any) -> "ImageAnnotation":
        """Return the annotation with other values of these attributes."""
        return ImageAnnotation(**{**vars(self), **changes})

    def equals(self, other: "ImageAnnotation") -> bool:
        """Return whether size and objects are the same, to the last bit."""
        return (
            self.size == other.size
            and self.labels == other.labels
            and np.array_equal(self.boxes, other.boxes)
            and np.array_equal(self.difficult, other.difficult)
            and np.array_equal(self.crowd, other.crowd)
        )
