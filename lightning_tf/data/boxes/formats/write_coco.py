"""write_coco: annotations as COCO's JSON."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.data.boxes.formats.coco_file import CORNERS
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.labels import sort_class_names
from lightning_tf.exceptions import DataError, nearest


def write_coco(
    path: str | os.PathLike[str],
    annotations: Iterable[ImageAnnotation],
    class_names: Sequence[str] | None = None,
    images_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a JSON file that `CocoAnnotations` reads, with coordinates in full.

    Categories are numbered from 1 in the order of `class_names`. ``difficult``, and corners that
    no corner and size give to the last bit, have fields of their own, which COCO's tools pass over.

    Args:
        path: The file to write.
        annotations: Of images in files; images stay where they are.
        class_names: All classes in their order; None takes those of the objects, sorted.
        images_dir: The folder that file names count from; None is that of `path`.

    Returns:
        The file.

    Raises:
        DataError: An image has no file or lies outside of `images_dir`, or a class is unknown.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     item = ImageAnnotation(Path(folder, "a.jpg"), (30, 40), [[1, 2, 11, 22]], ["cat"])
        ...     write_coco(Path(folder, "cats.json"), [item]).name
        'cats.json'
    """
    file, items = Path(path).expanduser(), list(annotations)
    root = file.parent if images_dir is None else Path(images_dir).expanduser()
    known = {label for item in items for label in item.labels}
    names = sort_class_names(known) if class_names is None else list(class_names)
    for label in sorted(known):
        if label not in names:
            raise DataError(f"class_names lacks {label!r}.{nearest(label, names)}")

    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number, item in enumerate(items, start=1):
        height, width = item.size
        name = _file_name(item, root)
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for entry in _objects(item, names):
            objects.append({"id": len(objects) + 1, "image_id": number, **entry})

    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    content = {"images": images, "annotations": objects, "categories": categories}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return file


def _objects(item: ImageAnnotation, names: Sequence[str]) -> list[dict[str, Any]]:
    entries = []
    for place, (x_min, y_min, x_max, y_max) in enumerate(item.boxes.tolist()):
        width, height = _extent(x_min, x_max), _extent(y_min, y_max)
        entry: dict[str, Any] = {
            "category_id": names.index(item.labels[place]) + 1,
            "bbox": [x_min, y_min, width, height],
            "area": width * height,
            "iscrowd": int(item.crowd[place]),
            "difficult": int(item.difficult[place]),
        }
        # No float added to the corner gives the other one: it is written beside.
        if (x_min + width, y_min + height) != (x_max, y_max):
            entry[CORNERS] = [x_min, y_min, x_max, y_max]
        entries.append(entry)
    return entries


def _extent(low: float, high: float) -> float:
    """Return what added to `low` is `high` to the last bit, where there is such a float."""
    extent = high - low
    candidates = (extent, math.nextafter(extent, math.inf), math.nextafter(extent, -math.inf))
    return next((value for value in candidates if low + value == high), extent)


def _file_name(item: ImageAnnotation, root: Path) -> str:
    if item.path is None:
        raise DataError(
            f"{item.name} has no file, which COCO's format needs; save the image first."
        )
    path = Path(os.path.abspath(item.path))
    folder = Path(os.path.abspath(root))
    if not path.is_relative_to(folder):
        raise DataError(f"{path} lies outside of {folder}; pass images_dir= with its folder.")
    return path.relative_to(folder).as_posix()
