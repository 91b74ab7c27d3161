"""PredictedImage: what a detector has found in an image, and which image that is."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.indexed_data import IndexedData
from lightning_tf.exceptions import DataError

PARTS = ("boxes", "scores", "labels", "count")


@dataclass(frozen=True, eq=False)
class PredictedImage:
    """What a detector has found in an image, and which image that is.

    Attributes:
        index: The image's number in its data; its place in the prediction where they have none.
        file_name: Of its file, from the folder on that holds all of them, or made of the index.
        size: Height and width of the original; None where the data do not say.
        boxes: xyxy in pixels of the original, float32 (detections, 4).
        scores: float32 (detections,), descending.
        labels: int (detections,).
    """

    index: int
    file_name: str
    size: tuple[int, int] | None
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.integer]


def predicted_images(
    outputs: Any, first: int, name_of: Callable[[int], tuple[int, str, tuple[int, int] | None]]
) -> Iterator[PredictedImage]:
    """Yield the images of a batch.

    Args:
        outputs: What `predict_step` gave: ``boxes`` (batch, K, 4), ``scores`` and ``labels``
            (batch, K), ``count`` (batch,).
        first: How many images went before.
        name_of: Gives an image's index, file name and size by its place in the prediction.

    Raises:
        DataError: They are no detections.
    """
    if not isinstance(outputs, Mapping) or not set(PARTS) <= set(outputs):
        raise DataError(f"predict_step gave no detections; they are a dict of {', '.join(PARTS)}.")
    for row, count in enumerate(np.asarray(outputs["count"]).tolist()):
        parts = (np.asarray(outputs[name][row])[:count] for name in PARTS[:3])
        yield PredictedImage(*name_of(first + row), *parts)


def image_names(
    data: DataModule | None,
) -> Callable[[int], tuple[int, str, tuple[int, int] | None]]:
    """Return a function from a place in the prediction to index, file name and size.

    Args:
        data: Data with `annotations` know files and sizes; of others there are numbers alone.
    """
    annotations = getattr(data, "annotations", None)
    splits = (data.splits or {}) if isinstance(data, IndexedData) else {}
    split = splits.get("predict", splits.get("test"))
    if annotations is None or split is None:
        return lambda place: (place, made_name(place), None)

    indices = np.asarray(split.indices).tolist()
    items = [annotations[index] for index in indices]
    names = _file_names([item.path for item in items], indices)
    return lambda place: (indices[place], names[place], items[place].size)


def made_name(index: int) -> str:
    """Return what an image without a file is called."""
    return f"image_{index:05d}"


def _file_names(paths: Sequence[Path | None], indices: Sequence[int]) -> list[str]:
    """Return paths from the folder on that holds all of them."""
    folders = [os.path.abspath(path.parent) for path in paths if path is not None]
    root = os.path.commonpath(folders) if folders else ""
    return [
        made_name(index) if path is None else Path(os.path.relpath(path, root)).as_posix()
        for path, index in zip(paths, indices, strict=True)
    ]
