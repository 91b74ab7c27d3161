"""read_voc_file: one annotation in Pascal VOC's XML."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.exceptions import DataError

MAX_BYTES = 2**20
SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocFile:
    """What one XML file says.

    Attributes:
        filename: The image's name as it is written there; empty where there is none.
        size: Height and width, (0, 0) where they are not given.
        boxes: xmin, ymin, xmax, ymax of each object as they stand there; NaN for what is missing.
        labels: The class name of each object.
        difficult: Whether each object is marked as difficult.
        crowd: Whether each object is marked as a crowd, which VOC itself does not know.
        is_of_voc: Whether the source is one of VOC's own, whose pixels count from 1.
    """

    filename: str
    size: tuple[int, int]
    boxes: list[list[float]]
    labels: list[str]
    difficult: list[bool]
    crowd: list[bool]
    is_of_voc: bool


def read_voc_file(path: Path) -> VocFile:
    """Read one file; children may stand in any order.

    An object's parts, which have boxes of their own, are no objects.

    Raises:
        DataError: The file is above 1 MB, no XML, no annotation, has entities, or an object
            without a name.
    """
    root = _parse(path)
    objects = root.findall("object")
    labels = [_text(node, "name") for node in objects]
    if "" in labels:
        raise DataError(f"{path.name}, object {labels.index('') + 1} has no name; give it a class.")
    return VocFile(
        filename=_text(root, "filename"),
        size=(_side(root, "height"), _side(root, "width")),
        boxes=[[_number(node.find("bndbox"), side) for side in SIDES] for node in objects],
        labels=labels,
        difficult=[_number(node, "difficult") > 0 for node in objects],
        crowd=[_number(node, "crowd") > 0 for node in objects],
        is_of_voc="VOC" in _text(root, "source/database").upper(),
    )


def _parse(path: Path) -> Any:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(
            f"{path} has {size} bytes, more than an annotation can need ({MAX_BYTES}); check it."
        )
    try:
        root = fromstring(path.read_bytes())
    except DefusedXmlException as error:
        raise DataError(
            f"{path} declares an entity ({type(error).__name__}), as files that attack a parser "
            "do; remove it."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path} is no whole XML file ({error}); write it again.") from error
    if root.tag != "annotation":
        raise DataError(f"{path} holds a <{root.tag}>; it must be a VOC <annotation>.")
    return root


def _text(node: Any, name: str) -> str:
    return " ".join((node.findtext(name) or "").split())


def _number(node: Any, name: str) -> float:
    """Return a child's number, NaN where there is none."""
    try:
        return float(node.findtext(name)) if node is not None else np.nan
    except (TypeError, ValueError):
        return np.nan


def _side(root: Any, name: str) -> int:
    value = _number(root.find("size"), name)
    return int(value) if np.isfinite(value) and value > 0 else 0
