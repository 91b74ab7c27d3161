"""Masks and boxes of images: checked for every logger, drawn for those that write PNG files."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from lightning_tf.callbacks.loggers.image_grid import LEAST_SIDE
from lightning_tf.callbacks.loggers.pixels import to_pixels
from lightning_tf.data.images.class_colors import CLASS_COLORS
from lightning_tf.exceptions import DataError

Annotations = Sequence[Mapping[str, Any]]  # one for each image: sets by name

OPACITY = 0.45  # of a mask
LABEL_SIZE = 10
SIDES = ("minX", "minY", "maxX", "maxY")


def check_annotations(
    pixels: np.ndarray,
    masks: Annotations | None,
    boxes: Annotations | None,
    captions: Sequence[str] | None,
) -> None:
    """Refuse masks, boxes and captions that do not fit their images.

    Args:
        pixels: Of shape (n, height, width, 3).
        masks: See `Logger.log_images`.
        boxes: See `Logger.log_images`.
        captions: See `Logger.log_images`.

    Raises:
        DataError: There is not one of each for every image, a mask has another size than its
            image or no integers, or a box has no position.
    """
    for kind, groups in (("captions", captions), ("masks", masks), ("boxes", boxes)):
        if groups is not None and len(groups) != len(pixels):
            raise DataError(f"{len(groups)} {kind} for {len(pixels)} images; give one for each.")

    size = pixels.shape[1:3]
    for name, mask in ((name, mask) for sets in masks or () for name, mask in sets.items()):
        data = np.asarray(mask.get("mask_data"))
        if data.shape != size or data.dtype.kind not in "iub":
            raise DataError(
                f"mask {name!r} has 'mask_data' of shape {data.shape} and dtype {data.dtype}; give "
                f"integers of the images' (height, width) = {size}."
            )

    for name, group in ((name, group) for sets in boxes or () for name, group in sets.items()):
        if "box_data" not in group:
            raise DataError(f"boxes {name!r} have the keys {sorted(group)}; give 'box_data'.")
        for box in group["box_data"]:
            _corners(box, size)  # raises


def draw_annotations(
    images: Any,
    captions: Sequence[str] | None = None,
    masks: Annotations | None = None,
    boxes: Annotations | None = None,
) -> tuple[np.ndarray, Sequence[str] | None]:
    """Paint masks and boxes over images, each set of them over a copy of its image.

    An image whose masks are ``{"truth": ..., "prediction": ...}`` becomes two, with the set's name
    as another line of the caption: painted over each other, they could not be told apart. Small
    images are enlarged by whole numbers. A mask's classes are painted in ten colors: the classes of
    ``class_labels`` where the mask has them, otherwise all but 0.

    Args:
        images: uint8 in [0, 255] or float in [0, 1], shape (n, height, width, 1 or 3).
        captions: One for each image.
        masks: See `Logger.log_images`.
        boxes: See `Logger.log_images`.

    Returns:
        The images, uint8 of shape (m, height, width, 3), and their captions. Without masks and
        boxes, the images and captions as they came.

    Raises:
        DataError: Something has another shape, dtype, range or number.

    Example:
        >>> boxes = [{"truth": {"box_data": [{"position": {"middle": [0.5, 0.5], "width": 0.5,
        ...           "height": 0.5}, "class_id": 1}], "class_labels": {1: "cat"}}}]
        >>> draw_annotations(np.zeros((1, 96, 96, 3), "uint8"), boxes=boxes)[1]
        ['truth']
    """
    pixels = to_pixels(images)  # (n, height, width, 3)
    if masks is None and boxes is None:
        return pixels, captions

    check_annotations(pixels, masks, boxes, captions)

    scale = max(1, math.ceil(LEAST_SIDE / max(pixels.shape[1:3])))
    painted, texts = [], []
    for index, image in enumerate(pixels.repeat(scale, axis=1).repeat(scale, axis=2)):
        masked, boxed = masks[index] if masks else {}, boxes[index] if boxes else {}
        caption = "" if captions is None else str(captions[index])
        for name in dict.fromkeys([*masked, *boxed]) or [""]:
            painted.append(_paint(image, masked.get(name), boxed.get(name), scale))
            texts.append("\n".join(line for line in (caption, str(name)) if line))
    return np.stack(painted), texts


def _paint(image: np.ndarray, mask: Any, boxes: Any, scale: int) -> np.ndarray:
    """Return an enlarged image with one mask and one set of boxes."""
    from PIL import Image

    colored = image.astype(np.float32)  # (height, width, 3)
    # Collected first and drawn last, so that no box covers a text.
    labels: list[tuple[float, float, str, tuple[int, int, int]]] = []
    if mask is not None:
        data = np.asarray(mask["mask_data"]).repeat(scale, axis=0).repeat(scale, axis=1)
        names = mask.get("class_labels") or {}
        # Class 0 is the background, unless the labels name it.
        for kind in names or [value for value in np.unique(data) if value]:
            place = data == kind  # (height, width)
            if place.any():
                color = CLASS_COLORS[int(kind) % len(CLASS_COLORS)]
                colored[place] = (1 - OPACITY) * colored[place] + OPACITY * np.array(color)
                y, x = np.argwhere(place).mean(axis=0)
                labels.append((x, y, str(names.get(kind, kind)), color))

    annotated = Image.fromarray(np.rint(colored).astype(np.uint8))
    _draw(annotated, labels, boxes, (image.shape[0] // scale, image.shape[1] // scale), scale)
    return np.asarray(annotated)


def _draw(
    image: Image,
    labels: list[tuple[float, float, str, tuple[int, int, int]]],
    boxes: Any,
    size: tuple[int, int],
    scale: int,
) -> None:
    from PIL import ImageDraw, ImageFont

    draw, font = ImageDraw.Draw(image), ImageFont.load_default(LABEL_SIZE)
    names = (boxes or {}).get("class_labels") or {}

    for box in (boxes or {}).get("box_data", ()):
        corners = [value * scale for value in _corners(box, size)]
        kind = int(box.get("class_id", 0))
        color = CLASS_COLORS[kind % len(CLASS_COLORS)]
        draw.rectangle(corners, outline=color, width=2 if min(image.size) > LEAST_SIDE else 1)
        text = box.get("box_caption") or names.get(kind, kind)
        labels.append((corners[0] + 2, corners[1] + 1, str(text), color))

    for x, y, text, color in labels:
        draw.text((x, y), text, "white", font, stroke_width=1, stroke_fill=color)


def _corners(box: Mapping[str, Any], size: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom in pixels of the image, clipped to it."""
    height, width = size
    position = box.get("position") or {}
    if all(side in position for side in SIDES):
        left, top, right, bottom = (float(position[side]) for side in SIDES)
    elif all(key in position for key in ("middle", "width", "height")):
        (x, y), wide, high = position["middle"], position["width"], position["height"]
        left, top, right, bottom = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
    else:
        raise DataError(
            f"a box has the position {dict(position)!r}; give {', '.join(SIDES)}, or middle, width "
            "and height, in [0, 1], or in pixels with 'domain': 'pixel'."
        )

    if box.get("domain") != "pixel":
        left, right, top, bottom = left * width, right * width, top * height, bottom * height
    if not (left <= right and top <= bottom):
        raise DataError(f"a box reaches from {(left, top)} to {(right, bottom)}; swap its sides.")

    return (
        min(max(left, 0.0), width - 1.0),
        min(max(top, 0.0), height - 1.0),
        min(max(right, 0.0), width - 1.0),
        min(max(bottom, 0.0), height - 1.0),
    )
