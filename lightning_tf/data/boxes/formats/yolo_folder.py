"""YoloFolder: images and annotations in YOLO's text files."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.class_list import tell_joined_classes
from lightning_tf.data.boxes.formats.box_format import to_xyxy
from lightning_tf.data.boxes.formats.yolo_names import NOT_LABELS, yolo_names
from lightning_tf.data.boxes.formats.yolo_yaml import YoloYaml, find_yolo_yaml, text_file_of
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.listed_images import (
    find_folder,
    find_split_files,
    images_by_stem,
    read_split_file,
)
from lightning_tf.data.boxes.splits_of import check_owners
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.data.sources.split_folders import SPLIT_NAMES
from lightning_tf.exceptions import DataError
from lightning_tf.storage.remote_data import local_data

_log = logging.getLogger(__name__)


class YoloFolder(AnnotatedImages):
    """Images with one text file each: a row ``class x y width height`` for each object.

    x and y are those of the center, all four fractions of the image. The folder holds ``images/``
    and ``labels/``, both with or without ``train``, ``val`` and ``test`` inside, or the splits
    with ``images/`` and ``labels/`` inside, or images and text files side by side. An image
    without a text file has no objects, which is told. Classes are named by ``data.yaml``,
    ``classes.txt`` or ``obj.names``, where there is one. Splits that ``data.yaml`` names are read
    from where it says.

    Args:
        root: The folder, or the path of a ``data.yaml``.
        **options: Those of `AnnotatedImages`.

    Raises:
        DataError: A row is no box, such as a polygon; raised by `setup`.

    Example:
        >>> data = YoloFolder("helmets", image_size=320, empty="drop")
    """

    def __init__(self, root: str | os.PathLike[str], **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        path = Path(local_data(root)).expanduser()
        self._root = path.parent if path.is_file() else path
        self._yaml = path if path.is_file() else None

    def where(self) -> str:
        """Return what the summary calls the data."""
        return f"YOLO folder {self._root.name}"

    def read(self) -> Annotations:
        """Return the annotations of every split."""
        if not self._root.is_dir():
            raise DataError(f"{self._root} is no folder; give one with images/ and labels/.")
        file = self._yaml or find_yolo_yaml(self._root)
        content = None if file is None else YoloYaml(file)
        self._listed_classes = yolo_names(self._root) if content is None else content.names
        tell_joined_classes(self._listed_classes)
        named = self._named_splits(content) if content is not None else {}
        if named:
            return named

        splits = {
            name: self._read_folder(images, labels)
            for name, (images, labels) in yolo_folders(self._root).items()
        }
        lists = find_split_files(self._root)
        if lists and list(splits) == ["train"]:
            return self._split_by_lists(splits["train"], lists)
        return splits

    def _named_splits(self, content: YoloYaml) -> Annotations:
        images = content.images()
        if content.entries and not images:
            _log.warning(
                "%s names %s, which are not there; the folders of %s are read by their names.",
                content.path,
                ", ".join(x for entries in content.entries.values() for x in entries),
                self._root,
            )
        lost = [path for paths in images.values() for path in paths if not path.is_file()]
        if lost:
            problem = f"{len(lost)} images that {content.path} lists are not there"
            skip_or_raise("missing", self._missing, f"{problem}, the first is {lost[0]}")
        texts = {
            name: {path: text_file_of(path) for path in paths if path.is_file()}
            for name, paths in images.items()
        }
        # A list may leave images out on purpose; a folder is read whole.
        every = {path: text for of_split in texts.values() for path, text in of_split.items()}
        self._check_texts(every, {x.parent for x in every.values() if not content.has_lists})
        return {name: self._annotated(of_split) for name, of_split in texts.items()}

    def _split_by_lists(self, items: list[ImageAnnotation], lists: dict[str, Path]) -> Annotations:
        by_stem = {item.path.stem: item for item in items if item.path}
        stems = {name: read_split_file(file) for name, file in lists.items()}
        check_owners(stems)
        lost = [stem for listed in stems.values() for stem in listed if stem not in by_stem]
        if lost:
            problem = f"{len(lost)} images of the splits are not there, the first is {lost[0]}"
            skip_or_raise("missing", self._missing, problem)
        rest = set(by_stem) - {stem for listed in stems.values() for stem in listed}
        if rest:
            _log.warning("%d images are in no split and are left out.", len(rest))
        return {
            name: [by_stem[stem] for stem in listed if stem in by_stem]
            for name, listed in stems.items()
        }

    def _read_folder(self, images: Path, labels: Path) -> list[ImageAnnotation]:
        paths = [path for paths in images_by_stem(images).values() for path in paths]
        texts = {path: labels / f"{path.stem}.txt" for path in paths}
        self._check_texts(texts, [labels])
        return self._annotated(texts)

    def _check_texts(self, texts: dict[Path, Path], folders: Iterable[Path]) -> None:
        """Refuse two images of one text file, and text files of these folders without an image."""
        images: dict[Path, Path] = {}
        for path, text in texts.items():
            other = images.setdefault(text, path)
            if other != path:
                raise DataError(
                    f"{other.name} and {path.name} have the stem of {text.name}; rename one of "
                    "them."
                )

        for folder in folders:
            there = [x for x in sorted(folder.glob("*.txt")) if x.name not in NOT_LABELS]
            lost = [text for text in there if text not in images]
            if lost:
                problem = f"{len(lost)} of {len(there)} text files of {folder} have no image"
                skip_or_raise("missing", self._missing, f"{problem}, the first is {lost[0].name}")

    def _annotated(self, texts: dict[Path, Path]) -> list[ImageAnnotation]:
        """Return the annotations of images by their text files, which need not be there."""
        bare = [path for path, text in texts.items() if not text.is_file()]
        if bare:
            _log.warning(
                "%d of %d images of %s have no text file and so no objects, the first is %s; "
                "empty='drop' leaves them out.",
                len(bare),
                len(texts),
                bare[0].parent,
                bare[0].name,
            )
        without = set(bare)
        return [
            self._annotation(path, None if path in without else text)
            for path, text in texts.items()
        ]

    def _annotation(self, path: Path, text: Path | None) -> ImageAnnotation:
        header = self._files.header(path)
        size = (0, 0)
        if header is not None:  # else the image is broken, which is told later
            size = header.stored if self._exif_boxes == "stored" else header.upright
        rows = [] if text is None else read_yolo_rows(text)
        names = self._listed_classes
        labels = []
        for place, (number, _) in enumerate(rows):
            if names and number >= len(names):
                raise DataError(
                    f"{text}, object {place + 1} is of class {number}; {len(names)} are named: 0 "
                    f"to {len(names) - 1}."
                )
            labels.append(names[number] if names else str(number))
        boxes = np.array([box for _, box in rows], np.float64).reshape(-1, 4)
        if boxes.size and text is not None:
            self._check_fractions(text, boxes)
        return ImageAnnotation(
            path,
            size,
            to_xyxy(boxes, "rel_center_xywh", size),
            tuple(labels),
            name=path.name if text is None else text.name,
        )

    def _check_fractions(self, text: Path, boxes: Any) -> None:
        wrong = np.argwhere(boxes > 1.0)
        if len(wrong) and self._bad_boxes == "error":
            row, column = wrong[0]
            raise DataError(
                f"{text}, object {row + 1}: {boxes[row, column]:.10g} is no fraction of the image; "
                "YOLO's numbers are 0 to 1. Divide pixels by width and height, or pass "
                "bad_boxes='clip' or 'drop'."
            )


def read_yolo_rows(path: Path) -> list[tuple[int, list[float]]]:
    """Return the class number and the four fractions of each object; an empty file has none.

    Raises:
        DataError: A row has other than five numbers, or no class number.
    """
    rows = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text ({error}).") from error
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) > 6 and len(words) % 2:
            raise DataError(
                f"{path}, row {number} has {len(words)} numbers: a polygon, which is no box; "
                "export boxes."
            )
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != 5 or not values[0].is_integer() or values[0] < 0:
            raise DataError(
                f"{path}, row {number} is {line!r}; it must be: class x y width height, the class "
                "a number from 0."
            )
        rows.append((int(values[0]), values[1:]))
    return rows


def yolo_folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folders of images and of text files of each split."""
    images, labels = find_folder(root, "images"), find_folder(root, "labels")
    folders = {}
    for split, names in SPLIT_NAMES.items():
        if images is not None and labels is not None:
            pair = find_folder(images, *names), find_folder(labels, *names)
        else:
            inner = find_folder(root, *names)
            pair = (
                (find_folder(inner, "images"), find_folder(inner, "labels"))
                if inner
                else (None,) * 2
            )
        if pair[0] is not None and pair[1] is not None:
            folders[split] = pair[0], pair[1]
    return folders or {"train": (images or root, labels or root)}
