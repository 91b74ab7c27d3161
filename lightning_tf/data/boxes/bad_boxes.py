"""check_boxes: what becomes of boxes that cannot be."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.exceptions import DataError

BAD_BOXES = ("error", "clip", "drop")
SLACK = 0.01
"""Pixels that a box may reach out of its image: fractions of six digits round by as much."""
SHOWN = 5
MANY = 0.2

_log = logging.getLogger(__name__)


def check_boxes(
    annotations: Sequence[ImageAnnotation], action: str
) -> tuple[list[ImageAnnotation], list[str]]:
    """Check every box against its image.

    Args:
        annotations: With the sizes of their upright images.
        action: ``error`` refuses; ``clip`` cuts boxes at the edge of the image and drops what has
            no area then; ``drop`` drops every box that is bad. Each is told by file and object.

    Returns:
        The annotations with good boxes alone, and a sentence for each bad one.

    Raises:
        DataError: There is a bad box, and `action` is ``error``.
    """
    checked, told = [], []
    for annotation in annotations:
        problems = box_problems(annotation)
        clipped = _clip(annotation)
        if not problems:
            checked.append(clipped)
            continue

        left_out = set(problems)
        if action == "clip":
            extents = clipped.boxes[:, 2:] - clipped.boxes[:, :2]
            is_box = (extents > 0) & np.isfinite(annotation.boxes).all(axis=1, keepdims=True)
            left_out = {place for place in problems if not is_box[place].all()}
        for place, problem in problems.items():
            effect = "left out" if place in left_out else "clipped"
            told.append(f"{_object(annotation, place)} {problem}: {effect}")
        kept = [place for place in range(len(clipped.labels)) if place not in left_out]
        checked.append(clipped.keep(np.asarray(kept, np.int64)))

    if told and action == "error":
        raise DataError(_refusal(annotations, told))
    return checked, told


def box_problems(annotation: ImageAnnotation) -> dict[int, str]:
    """Return what is wrong with each bad box, by the number of its object from 0.

    Example:
        >>> box_problems(ImageAnnotation(None, (10, 10), [[2, 2, 2, 5]], ["cat"]))
        {0: '[2, 2, 2, 5] has no area'}
    """
    height, width = annotation.size
    edge: NDArray[np.float64] = np.array([width, height, width, height], np.float64)
    boxes = annotation.boxes
    # Nearly all boxes of nearly all images are good, which one look at all of them shows.
    inside = (boxes >= -SLACK) & (boxes <= edge + SLACK) & np.isfinite(boxes)
    good = inside.all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    good &= (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < edge[:2]).all(axis=1)
    return {
        int(place): f"{_numbers(boxes[place])} {_problem(boxes[place], edge)}"
        for place in np.flatnonzero(~good)
    }


def tell_bad_boxes(told: Sequence[str]) -> None:
    """Warn about boxes that were clipped or left out, each by file and object."""
    if told:
        _log.warning("%d bad boxes: %s.", len(told), "; ".join(told))


def _problem(box: NDArray[np.float64], edge: NDArray[np.float64]) -> str:
    if not np.isfinite(box).all():
        return "lacks a number"
    if (box[2:] < box[:2]).any():
        return "ends before it begins"
    if (box[2:] == box[:2]).any():
        return "has no area"
    size = f"the image of {edge[0]:g} x {edge[1]:g} (width x height)"
    if (box[2:] <= 0).any() or (box[:2] >= edge[:2]).any():
        return f"lies outside of {size}"
    return f"reaches out of {size}"


def _clip(annotation: ImageAnnotation) -> ImageAnnotation:
    height, width = annotation.size
    edge = np.array([width, height, width, height])
    return annotation.replace(boxes=np.clip(annotation.boxes, 0.0, edge))


def _refusal(annotations: Sequence[ImageAnnotation], told: Sequence[str]) -> str:
    shown = "; ".join(text.removesuffix(": left out") for text in told[:SHOWN])
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return (
        f"{len(told)} bad boxes: {shown}{more}. Correct them, or pass bad_boxes='clip' to cut them "
        f"at the image's edge or bad_boxes='drop' to leave them out.{_guess(annotations, told)}"
    )


def _guess(annotations: Sequence[ImageAnnotation], told: Sequence[str]) -> str:
    """Say what the boxes look like where so many are bad that another format is likelier."""
    total = sum(len(annotation.labels) for annotation in annotations)
    if len(told) < MANY * total:
        return ""
    as_sizes = [
        annotation.replace(
            boxes=np.concatenate(
                [annotation.boxes[:, :2], annotation.boxes[:, :2] + annotation.boxes[:, 2:]], axis=1
            )
        )
        for annotation in annotations
    ]
    if sum(len(box_problems(annotation)) for annotation in as_sizes) < len(told) / 4:
        return (
            f" {len(told)} of {total} are bad, and nearly all are good as corner and size: they "
            "look like xywh; where the source has box_format=, pass 'xywh'."
        )
    return ""


def check_units(annotations: Sequence[ImageAnnotation]) -> None:
    """Refuse data whose boxes all lie within one pixel: they are fractions, not pixels.

    Raises:
        DataError: No coordinate of any box is above 1.
    """
    boxes = [annotation.boxes for annotation in annotations if len(annotation.boxes)]
    if boxes and np.nanmax(np.concatenate(boxes), initial=-np.inf) <= 1.0:
        raise DataError(
            "No coordinate of any box is above 1: they are fractions of the image, not pixels; "
            "where the source has box_format=, pass 'rel_xyxy' or 'rel_xywh', else multiply them "
            "by width and height."
        )


def _object(annotation: ImageAnnotation, place: int) -> str:
    return f"{annotation.name}, object {place + 1} ({annotation.labels[place]})"


def _numbers(box: NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{value:.10g}" for value in box) + "]"
