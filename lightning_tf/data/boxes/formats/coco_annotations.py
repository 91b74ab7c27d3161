"""CocoAnnotations: images and annotations in COCO's JSON."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.class_list import tell_joined_classes
from lightning_tf.data.boxes.formats.box_format import to_xyxy
from lightning_tf.data.boxes.formats.coco_file import (
    CORNERS,
    find_coco_files,
    image_path,
    read_coco_file,
)
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.splits_of import splits_of
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.exceptions import DataError

NAN = float("nan")

_log = logging.getLogger(__name__)


class CocoAnnotations(AnnotatedImages):
    """Images with one JSON file of annotations a split, as COCO, CVAT and Roboflow write them.

    Classes have the order of their categories' ids, which may have holes. What is marked as
    ``iscrowd`` is ignored in training and measuring; of its mask only the box is read.

    Args:
        data: A JSON file; a dict of files for ``train``, ``val`` and ``test``; or a folder with
            such files, in which names of splits stand in the names of files.
        images_dir: The folder of all images; None looks beside the file, in ``images/``, and in a
            folder of the split's name.
        **options: Those of `AnnotatedImages`.

    Raises:
        DataError: A file cannot be used; raised by `setup`.

    Example:
        >>> data = CocoAnnotations("instances.json", images_dir="photos", image_size=320)
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
        *,
        images_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._files_of = splits_of(data)
        self._images_dir = None if images_dir is None else Path(images_dir).expanduser()

    def where(self) -> str:
        """Return what the summary calls the data."""
        return f"COCO {', '.join(Path(file).name for file in self._files_of.values())}"

    def read(self) -> Annotations:
        """Return the annotations of every split."""
        files = {name: Path(file).expanduser() for name, file in self._files_of.items()}
        first = files.get("train")
        if first is not None and first.is_dir():
            files = find_coco_files(first)
            if not files:
                raise DataError(f"{first} holds no JSON file of a split; give the files by split.")
        contents = {name: read_coco_file(file) for name, file in files.items()}
        self._listed_classes = _category_names(contents.values())
        return {name: self._read_split(files[name], contents[name]) for name in files}

    def _read_split(self, file: Path, content: dict[str, Any]) -> list[ImageAnnotation]:
        objects: dict[Any, list[Any]] = {entry["id"]: [] for entry in content["images"]}
        unknown: list[Any] = []
        for entry in content["annotations"]:
            objects.get(entry["image_id"], unknown).append(entry)
        if unknown:
            skip_or_raise(
                "missing",
                self._missing,
                f"{len(unknown)} of {len(content['annotations'])} annotations of {file.name} "
                f"belong to no image, the first to image_id {unknown[0]['image_id']}",
            )

        folders = _image_folders(file)
        names = {entry["id"]: str(entry["name"]).strip() for entry in content["categories"]}
        found, lost = [], []
        for entry in content["images"]:
            path = image_path(file, str(entry["file_name"]), self._images_dir, folders)
            if path is None:
                lost.append(str(entry["file_name"]))
            else:
                found.append(self._annotation(path, file, entry, objects[entry["id"]], names))
        if lost:
            skip_or_raise(
                "missing",
                self._missing,
                f"{len(lost)} of {len(content['images'])} images of {file.name} are not there, the "
                f"first is {lost[0]!r}; where they lie elsewhere pass images_dir=",
            )
        return found

    def _annotation(
        self,
        path: Path,
        file: Path,
        image: Mapping[str, Any],
        objects: Sequence[Mapping[str, Any]],
        names: Mapping[Any, str],
    ) -> ImageAnnotation:
        for place, entry in enumerate(objects):
            if entry["category_id"] not in names:
                raise DataError(
                    f"{file.name}: object {place + 1} of {image['file_name']} has category_id "
                    f"{entry['category_id']!r}, which categories do not list; add it there."
                )
        bboxes = [
            self._bbox(f"{file.name}: {image['file_name']}, object {place + 1}", entry["bbox"])
            for place, entry in enumerate(objects)
        ]
        boxes = to_xyxy(bboxes, "xywh", (0, 0))
        for place, entry in enumerate(objects):
            corners = entry.get(CORNERS)
            if corners is not None and np.allclose(corners, boxes[place], rtol=1e-12, atol=0):
                boxes[place] = corners
        return ImageAnnotation(
            path,
            (_side(image.get("height")), _side(image.get("width"))),
            boxes,
            tuple(names[entry["category_id"]] for entry in objects),
            [bool(entry.get("difficult", 0)) for entry in objects],
            [bool(entry.get("iscrowd", 0)) for entry in objects],
            name=str(image["file_name"]),
        )

    def _bbox(self, where: str, bbox: Any) -> list[float]:
        """Return four numbers, NaN for a box that is not four: then `bad_boxes` decides."""
        is_box = isinstance(bbox, list) and len(bbox) == 4
        if is_box and all(isinstance(x, (int, float)) for x in bbox):
            return [float(x) for x in bbox]
        problem = f"{where} has the bbox {bbox!r}; it must be four numbers: x, y, width, height"
        if self._bad_boxes == "error":
            raise DataError(f"{problem}. Correct it, or pass bad_boxes='drop' to leave it out.")
        _log.warning("%s.", problem)
        return [NAN] * 4


def _category_names(contents: Any) -> list[str]:
    """Return the names of all categories by their ids; a later file adds what the first lacks."""
    names = []
    for content in contents:
        entries = sorted(
            content["categories"], key=lambda entry: (str(type(entry["id"])), entry["id"])
        )
        listed = [str(entry["name"]).strip() for entry in entries]
        tell_joined_classes(listed)
        names += listed
    return list(dict.fromkeys(names))


def _image_folders(file: Path) -> tuple[Path, ...]:
    """Return where the images of a file may lie."""
    root = file.parent.parent if file.parent.name.lower() == "annotations" else file.parent
    split = file.stem.rsplit("_", 1)[-1]  # train2017 of instances_train2017
    return file.parent, root, root / "images", root / split, root / "images" / split


def _side(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0
