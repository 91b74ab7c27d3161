"""VocFolder: images and annotations in Pascal VOC's XML."""

import logging
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.formats.voc_file import VocFile, read_voc_file
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.listed_images import (
    SplitFiles,
    find_folder,
    find_split_files,
    images_by_stem,
    read_split_file,
)
from lightning_tf.data.boxes.splits_of import check_owners
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.exceptions import DataError
from lightning_tf.storage.remote_data import local_data

IMAGES = ("images", "jpegimages")
ANNOTATIONS = ("annotations", "xmls")

_log = logging.getLogger(__name__)


class VocFolder(AnnotatedImages):
    """A folder of images with one XML file each, as Pascal VOC, LabelImg and CVAT write them.

    The folder holds ``images/`` and ``annotations/``, or VOC's ``JPEGImages/`` and
    ``Annotations/``, or images and XML files side by side. Splits are ``splits/train.txt``,
    ``ImageSets/Main/train.txt`` or ``<folder>_train.txt`` beside it, and so for ``val`` and
    ``test``; what is missing is held out of training. An image belongs to the annotation of its
    stem, whatever ``<filename>`` says.

    Args:
        root: The folder.
        splits: Text files with the stems of ``train``, ``val`` and ``test``, instead of those that
            are found.
        pixel_origin: Where pixels count from: 1, inclusive, as in VOC's own files, or 0. None is 0,
            and 1 for files whose ``source/database`` names VOC, which is told.
        **options: Those of `AnnotatedImages`.

    Raises:
        DataError: There are no annotations, or one cannot be used; raised by `setup`.

    Example:
        >>> data = VocFolder("raccoon", image_size=160, difficult="use")
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        splits: SplitFiles | None = None,
        pixel_origin: Literal[0, 1] | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._root, self._splits = Path(local_data(root)).expanduser(), splits
        if pixel_origin is not None:
            checked_choice("pixel_origin", pixel_origin, (0, 1))
        self._pixel_origin = pixel_origin

    def where(self) -> str:
        """Return what the summary calls the data."""
        return f"VOC folder {self._root.name}"

    def read(self) -> Annotations:
        """Return the annotations of every split."""
        root = voc_root(self._root)
        images = find_folder(root, *IMAGES) or root
        files = {path.stem: path for path in sorted(voc_annotations(root).glob("*.xml"))}
        parsed = {stem: read_voc_file(path) for stem, path in files.items()}
        paths = self._match(images_by_stem(images), parsed)
        self._tell_origin([parsed[stem] for stem in paths])

        split_files = self._splits or find_split_files(root)
        if not split_files:
            splits = {"train": list(paths)}
        else:
            splits = {name: read_split_file(file) for name, file in split_files.items()}
            check_owners(splits)
            self._check_listed(splits, paths)
        return {
            name: [self._annotation(paths[x], parsed[x], files[x]) for x in stems if x in paths]
            for name, stems in splits.items()
        }

    def _match(self, images: dict[str, list[Path]], parsed: dict[str, VocFile]) -> dict[str, Path]:
        """Return the image of each annotation, by stem."""
        paths = {}
        for stem, voc in parsed.items():
            found = images.get(stem, [])
            if not found:
                found = _by_filename(images, voc, parsed)
            if len(found) > 1:
                # Only between images of this stem may the annotation's own word decide.
                named = [path for path in found if path.name == _base_name(voc.filename)]
                if not named:
                    names = " and ".join(path.name for path in found)
                    raise DataError(
                        f"{names} have the stem of {stem}.xml, whose filename is "
                        f"{voc.filename!r}; rename one of them."
                    )
                found = named
            if found:
                paths[stem] = found[0]
        self._tell_unmatched(images, parsed, paths)
        return paths

    def _tell_unmatched(
        self, images: dict[str, list[Path]], parsed: dict[str, VocFile], paths: dict[str, Path]
    ) -> None:
        without = [stem for stem in parsed if stem not in paths]
        if without:
            problem = f"{len(without)} of {len(parsed)} annotations have no image"
            skip_or_raise("missing", self._missing, f"{problem}, the first is {without[0]}.xml")

        used = set(paths.values())
        bare = [path.name for found in images.values() for path in found if path not in used]
        if bare:
            _log.warning(
                "%d images have no annotation and are left out, the first is %s. An image without "
                "objects needs an XML file without objects.",
                len(bare),
                bare[0],
            )
        odd = [s for s, path in paths.items() if _base_name(parsed[s].filename) != path.name]
        odd = [stem for stem in odd if parsed[stem].filename]
        if odd:
            _log.warning(
                "%d annotations name another file than the image they lie beside, the first is "
                "%s.xml with %r; the image of the same stem counts.",
                len(odd),
                odd[0],
                parsed[odd[0]].filename,
            )

    def _check_listed(self, splits: dict[str, list[str]], paths: dict[str, Path]) -> None:
        for name, stems in splits.items():
            lost = [stem for stem in stems if stem not in paths]
            if lost:
                problem = f"{len(lost)} of {len(stems)} images of the {name} split have no image"
                skip_or_raise(
                    "missing", self._missing, f"{problem} or no annotation, the first is {lost[0]}"
                )

        listed = {stem for stems in splits.values() for stem in stems}
        rest = [stem for stem in paths if stem not in listed]
        if rest:
            _log.warning(
                "%d annotated images are in no split and are left out, the first is %s.",
                len(rest),
                rest[0],
            )

    def _tell_origin(self, parsed: list[VocFile]) -> None:
        of_voc = sum(voc.is_of_voc for voc in parsed)
        if of_voc and self._pixel_origin is None:
            _log.warning(
                "%d of %d annotations come from VOC, whose pixels count from 1: 1 is taken from "
                "xmin and ymin. To settle it pass pixel_origin=.",
                of_voc,
                len(parsed),
            )

    def _annotation(self, path: Path, voc: VocFile, file: Path) -> ImageAnnotation:
        origin = int(voc.is_of_voc) if self._pixel_origin is None else self._pixel_origin
        boxes: NDArray[np.float64] = np.asarray(voc.boxes, np.float64).reshape(-1, 4)
        # Inclusive pixels from 1: only the lower corner moves.
        boxes = boxes - np.array([origin, origin, 0, 0])
        return ImageAnnotation(
            path, voc.size, boxes, tuple(voc.labels), voc.difficult, voc.crowd, name=file.name
        )


def voc_root(root: Path) -> Path:
    """Return the folder that holds images and annotations: VOCdevkit's only VOC2007, or `root`.

    Raises:
        DataError: There is no such folder, or VOCdevkit holds several.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give one with images and annotations.")
    inner = [path for path in sorted(root.glob("VOC*")) if find_folder(path, *ANNOTATIONS)]
    if len(inner) > 1:
        names = ", ".join(path.name for path in inner)
        raise DataError(f"{root} holds {names}; give the path of one of them.")
    return inner[0] if inner else root


def voc_annotations(root: Path) -> Path:
    """Return the folder of XML files.

    Raises:
        DataError: There is no XML file.
    """
    folder = find_folder(root, *ANNOTATIONS) or root
    folder = find_folder(folder, "xmls") or folder
    if next(folder.glob("*.xml"), None) is None:
        raise DataError(f"{folder} holds no XML files; put one for each image into it.")
    return folder


def _by_filename(
    images: dict[str, list[Path]], voc: VocFile, parsed: dict[str, VocFile]
) -> list[Path]:
    """Return the image that an annotation names, where its own stem has none: never a path."""
    name = _base_name(voc.filename)
    stem = Path(name).stem
    if stem in parsed:
        return []
    return [path for path in images.get(stem, []) if path.name == name]


def _base_name(filename: str) -> str:
    return filename.replace("\\", "/").rsplit("/", 1)[-1]
