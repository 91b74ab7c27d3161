"""detection_data: the `data=` argument of a detection task, resolved."""

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.data.boxes.annotated_images import AnnotatedImages
from lightning_tf.data.boxes.formats.box_arrays import BoxArrays
from lightning_tf.data.boxes.formats.box_table import BoxTable
from lightning_tf.data.boxes.formats.coco_annotations import CocoAnnotations
from lightning_tf.data.boxes.formats.coco_file import find_coco_files
from lightning_tf.data.boxes.formats.digit_scenes import DigitScenes
from lightning_tf.data.boxes.formats.voc_folder import ANNOTATIONS, VocFolder
from lightning_tf.data.boxes.formats.yolo_folder import YoloFolder
from lightning_tf.data.boxes.formats.yolo_yaml import find_yolo_yaml
from lightning_tf.data.boxes.listed_images import SplitFiles, find_folder
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.sources.data_folder import data_folders
from lightning_tf.data.sources.options import refuse_unknown, source_options, use_as_is
from lightning_tf.data.sources.order_options import (
    WITHOUT_CLASSES,
    take_order_options,
    with_order,
)
from lightning_tf.data.sources.table_file import is_table_file
from lightning_tf.exceptions import ConfigurationError, DataError, nearest
from lightning_tf.storage.remote_data import local_data

BUILT_IN: dict[str, type[AnnotatedImages]] = {"digits": DigitScenes}
"""Names that `detection_data` knows."""
BY_ENDING: dict[str, type[AnnotatedImages]] = {
    ".json": CocoAnnotations,
    ".yaml": YoloFolder,
    ".yml": YoloFolder,
}


def detection_data(
    data: Any,
    *,
    batch_size: int | None = None,
    seed: int | None = None,
    split_seed: int | None = None,
    val_fraction: float | None = None,
    test_fraction: float | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    resize: str | None = None,
    difficult: str | None = None,
    pixel_origin: int | None = None,
    bad_boxes: str | None = None,
    box_format: str | None = None,
    empty: str | None = None,
    class_names: Sequence[str] | None = None,
    class_map: Mapping[str, str | None] | None = None,
    max_objects: int | None = None,
    exif_boxes: str | None = None,
    missing: str | None = None,
    broken: str | None = None,
    in_memory: bool | None = None,
    images_dir: str | os.PathLike[str] | None = None,
    splits: SplitFiles | None = None,
    train_scenes: int | None = None,
    val_scenes: int | None = None,
    test_scenes: int | None = None,
    scene_seed: int | None = None,
    shuffle: bool | None = None,
    drop_remainder: bool | None = None,
) -> DataModule:
    """Make a DataModule of images with boxes from what a user writes.

    Every option but `data` and `data_dir` is handed to the source; None leaves the source's
    default, and one that the source does not know is an error.

    Args:
        data: ``"digits"``; a folder in VOC's, COCO's or YOLO's layout; a YOLO ``data.yaml``; a
            COCO JSON file; a CSV, TSV or Parquet file or a DataFrame with one object a row; a pair
            of images and dicts of objects; a dict of any of the last three for ``train``, ``val``
            and ``test``; or a DataModule, which is returned as it is.
        batch_size: Images in a global batch, 8 by default.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.
        val_fraction: Share to hold out for validation where the data bring none.
        test_fraction: Share to hold out for testing where the data bring none.
        data_dir: Where a folder is looked for by its name; None looks in $LIGHTNING_TF_DATA.
        image_size: Height and width of the input, or one number.
        resize: ``letterbox`` or ``stretch``.
        difficult: ``ignore``, ``use`` or ``drop``.
        pixel_origin: 0 or 1, for VOC.
        bad_boxes: ``error``, ``clip`` or ``drop``.
        box_format: ``xyxy``, ``xywh``, ``center_xywh`` or with ``rel_``, for tables and arrays.
        empty: ``keep`` or ``drop`` images without objects.
        class_names: The classes in the order of their labels.
        class_map: New class names by old ones.
        max_objects: Room for objects in every image.
        exif_boxes: ``upright`` or ``stored``.
        missing: ``error`` or ``skip``.
        broken: ``error`` or ``skip``.
        in_memory: Decode once and keep.
        images_dir: The folder of the images, for COCO and tables.
        splits: Text files with the stems of each split, for VOC.
        train_scenes: For ``digits``, and so `val_scenes`, `test_scenes` and `scene_seed`.
        val_scenes: See `train_scenes`.
        test_scenes: See `train_scenes`.
        scene_seed: See `train_scenes`.
        shuffle: Whether training images come in a new order in every epoch.
        drop_remainder: Whether an incomplete last training batch is left out.

    Raises:
        ConfigurationError: An unknown name, or an option that the source lacks.
        DataError: A folder that is none of the three layouts.

    Example:
        >>> data = detection_data("digits", train_scenes=16, val_scenes=8, test_scenes=8)
        >>> images, objects = next(iter(data.train_dataset(0)))
        >>> [int(n) for n in images.shape], sorted(objects)
        ([8, 96, 96, 3], ['boxes', 'frame', 'ignored', 'index', 'labels', 'size'])
    """
    data, data_dir = local_data(data), local_data(data_dir)
    images_dir, splits = local_data(images_dir), local_data(splits)
    options = {
        key: value
        for key, value in locals().items()
        if key not in ("data", "data_dir") and value is not None
    }
    if isinstance(data, DataModule):
        return use_as_is(data, options)
    order = take_order_options(options, WITHOUT_CLASSES)
    source, arguments = _source(data, data_dir)
    known = source_options(source) & set(inspect.signature(detection_data).parameters)
    refuse_unknown(source, data, options, known)
    return with_order(source(*arguments, **options), order)


def _source(data: Any, data_dir: Any) -> tuple[type[AnnotatedImages], tuple[Any, ...]]:
    if isinstance(data, str) and data in BUILT_IN:
        return BUILT_IN[data], ()
    first = next(iter(data.values()), None) if isinstance(data, Mapping) else data
    if isinstance(first, (tuple, list)) and len(first) == 2:
        return BoxArrays, (data,)
    if is_table_file(first) or hasattr(first, "columns"):
        return BoxTable, (data,)
    if not isinstance(first, (str, os.PathLike)):
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give a name, a folder, a COCO JSON, a table, a pair "
            "(images, objects) or a DataModule."
        )

    if Path(first).expanduser().is_file() and Path(first).suffix.lower() in BY_ENDING:
        return BY_ENDING[Path(first).suffix.lower()], (data,)
    folder = None if isinstance(data, Mapping) else _find_folder(os.fspath(first), data_dir)
    if folder is None:
        raise ConfigurationError(
            f"data={os.fspath(first)!r} is neither a known name nor a folder, a COCO JSON, a YOLO "
            f"YAML or a table that is there.{nearest(first, BUILT_IN)}"
        )
    return folder_source(folder), (folder,)


def _find_folder(name: str, data_dir: Any) -> Path | None:
    """Return the folder of this path, or of this name where data are looked for."""
    paths = [Path(name).expanduser(), *(folder / name for folder in data_folders(data_dir))]
    return next((path for path in paths if path.is_dir()), None)


def folder_source(folder: Path) -> type[AnnotatedImages]:
    """Return which source reads a folder, by what lies in it.

    Raises:
        DataError: It is none of the three layouts.
    """
    if any(_has_xml(path) for path in (folder, *folder.glob("VOC*")) if path.is_dir()):
        return VocFolder
    if find_coco_files(folder):
        return CocoAnnotations
    has_labels = find_folder(folder, "labels") or next(folder.glob("*/labels"), None)
    if find_yolo_yaml(folder) or has_labels or next(folder.glob("*.txt"), None):
        return YoloFolder
    raise DataError(
        f"{folder} has no annotations: neither annotations/*.xml (VOC), *.json (COCO) nor "
        "labels/*.txt (YOLO); give one that has."
    )


def _has_xml(folder: Path) -> bool:
    inner = find_folder(folder, *ANNOTATIONS) or folder
    return any(next(path.glob("*.xml"), None) for path in (inner, inner / "xmls"))
