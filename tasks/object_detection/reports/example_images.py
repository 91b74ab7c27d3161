"""ExampleImage: pixels of an image, with objects and detections in them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.named_sets import first_set
from lightning_tf.tasks.common.stage_report import spread_evenly
from lightning_tf.tasks.object_detection.detected_image import DetectedImage
from lightning_tf.tasks.object_detection.reports.draw_boxes import fit_image


@dataclass(frozen=True, eq=False)
class ExampleImage:
    """Pixels of an image, with objects and detections in them.

    Attributes:
        pixels: uint8 (height, width, 3).
        image: With boxes in these pixels, not in those of the original.
    """

    pixels: NDArray[np.uint8]
    image: DetectedImage


def example_images(
    data: DataModule, stage: str, images: Mapping[int, DetectedImage], count: int, side: int
) -> list[ExampleImage]:
    """Return some images of an evaluation, resized to one longer side.

    Args:
        data: Data whose `original` gives an image by index, or any whose batches are ``(images,
            objects)``, with ``index``, ``frame`` and ``size`` among the objects.
        stage: val or test.
        images: What has been measured, by index, in the order of the data.
        count: How many at most: evenly spread where the data give images by index, else the first.
        side: The longer side, in pixels.
    """
    order = list(images)
    original = getattr(data, "original", None)
    if original is None:
        pixels_by_index = _first_of_batches(data, stage, set(order[:count]))
    else:
        chosen = [order[place] for place in spread_evenly(len(order), count)]
        pixels_by_index = {index: np.asarray(original(index)) for index in chosen}

    return [fit_example(pixels, images[index], side) for index, pixels in pixels_by_index.items()]


def fit_example(pixels: NDArray[np.uint8], image: DetectedImage, side: int) -> ExampleImage:
    """Return an image resized to one longer side, with its boxes in the new pixels.

    Args:
        pixels: Shape (height, width, 1 or more), of any size.
        image: With boxes in pixels of the original.
        side: The longer side, in pixels.
    """
    fitted = fit_image(_as_color(pixels), side)
    height, width = image.size
    scale = np.tile([fitted.shape[1] / width, fitted.shape[0] / height], 2)
    boxes, found_boxes = image.boxes * scale, image.found_boxes * scale
    return ExampleImage(fitted, replace(image, boxes=boxes, found_boxes=found_boxes))


def cut_input(
    pixels: NDArray[np.uint8], frame: NDArray[np.floating], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return an input image without what a letterbox has beside it.

    Args:
        pixels: Shape (height, width, channels).
        frame: x0, y0, scale x, scale y of input = original * scale + offset.
        size: Height and width of the original.
    """
    x, y, scale_x, scale_y = frame
    height, width = size[0] * scale_y, size[1] * scale_x
    return pixels[round(y) : round(y + height), round(x) : round(x + width)]


def _first_of_batches(
    data: DataModule, stage: str, wanted: set[int]
) -> dict[int, NDArray[np.uint8]]:
    """Return input images without what a letterbox has beside them."""
    pixels: dict[int, NDArray[np.uint8]] = {}
    dataset = first_set(data.dataset_for(stage))
    for images, objects in dataset.as_numpy_iterator() if dataset is not None else ():
        for row, index in enumerate(objects["index"].tolist()):
            if index in wanted:
                pixels[index] = cut_input(images[row], objects["frame"][row], objects["size"][row])
        if len(pixels) == len(wanted):
            break
    return pixels


def _as_color(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return uint8 pixels with three channels."""
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
