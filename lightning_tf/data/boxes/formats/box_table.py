"""BoxTable: a table with one row for each object."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.boxes.annotated_images import AnnotatedImages, Annotations
from lightning_tf.data.boxes.formats.box_format import BOX_FORMATS, to_xyxy
from lightning_tf.data.boxes.image_annotation import ImageAnnotation
from lightning_tf.data.boxes.splits_of import splits_of
from lightning_tf.data.sources.skip_or_raise import skip_or_raise
from lightning_tf.data.sources.table_file import check_columns, read_table, table_name
from lightning_tf.exceptions import ConfigurationError, DataError

SIDES = ("xmin", "ymin", "xmax", "ymax")


class BoxTable(AnnotatedImages):
    """A table of columns ``filename``, ``class``, ``xmin``, ``ymin``, ``xmax``, ``ymax``.

    A row is an object; one whose class and sides are all empty says that its image has none.
    Columns ``width`` and ``height``, where there are any, are the size that boxes were drawn on.

    Args:
        data: A CSV, TSV or Parquet file or a DataFrame; or a dict of them for ``train``, ``val``
            and ``test``.
        images_dir: The folder of the images; None looks beside the file and in ``images/`` there.
        box_format: What the four columns hold: ``xyxy``, ``xywh``, ``center_xywh``, or with
            ``rel_`` before it as fractions.
        **options: Those of `AnnotatedImages`.

    Raises:
        DataError: A column, a class or an image is missing; raised by `setup`.

    Example:
        >>> data = BoxTable("train_labels.csv", images_dir="photos", image_size=320)
    """

    def __init__(
        self,
        data: Any,
        *,
        images_dir: str | os.PathLike[str] | None = None,
        box_format: str = "xyxy",
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        if box_format not in BOX_FORMATS:
            raise ConfigurationError(
                f"box_format is {box_format!r}; give one of {', '.join(BOX_FORMATS)}."
            )
        self._tables, self._box_format = splits_of(data), box_format
        self._images_dir = None if images_dir is None else Path(images_dir).expanduser()

    def where(self) -> str:
        """Return what the summary calls the data."""
        return f"Boxes of {', '.join(Path(table_name(x)).name for x in self._tables.values())}"

    def read(self) -> Annotations:
        """Return the annotations of every split."""
        return {name: self._read_table(data) for name, data in self._tables.items()}

    def _read_table(self, data: Any) -> list[ImageAnnotation]:
        name = table_name(data)
        # As they are written: 007 is no 7.
        table = read_table(data, dtype={"filename": str, "class": str})
        check_columns(table, name, {"data": ("filename", "class", *SIDES)})
        if table["filename"].isna().any():
            row = int(np.flatnonzero(table["filename"].isna())[0])
            raise DataError(f"{name}, row {row} has no filename; name its image.")

        found, lost = [], []
        for file, rows in table.groupby(table["filename"].astype(str).str.strip(), sort=False):
            path = self._find(data, name, str(file))
            if path is None:
                lost.append(str(file))
            else:
                found.append(self._annotation(name, path, str(file), rows))
        if lost:
            skip_or_raise(
                "missing",
                self._missing,
                f"{len(lost)} of {len(lost) + len(found)} images of {name} are not there, the "
                f"first is {lost[0]!r}; where they lie elsewhere pass images_dir=",
            )
        return found

    def _find(self, data: Any, table: str, file: str) -> Path | None:
        if os.path.isabs(file) or ".." in Path(file).parts:
            raise DataError(
                f"{table} names the image {file!r}, which leads out of its folder; write a path "
                "inside it, and the folder as images_dir=."
            )
        folders = [self._images_dir] if self._images_dir else []
        if not folders and isinstance(data, (str, os.PathLike)):
            root = Path(data).expanduser().parent
            folders = [root, root / "images"]
        paths = (folder / file for folder in folders if folder is not None)
        return next((path for path in paths if path.is_file()), None)

    def _annotation(self, table: str, path: Path, file: str, rows: Any) -> ImageAnnotation:
        import pandas as pd

        sides = rows[list(SIDES)].apply(pd.to_numeric, errors="coerce")
        is_empty = (rows["class"].isna() & sides.isna().all(axis=1)).to_numpy()
        unnamed = rows[rows["class"].isna().to_numpy() & ~is_empty]
        if len(unnamed):
            raise DataError(f"{table}, row {unnamed.index[0]} ({file}) has no class; name it.")

        header = self._files.header(path)
        size = _declared_size(rows)
        actual = (0, 0)
        if header is not None:
            actual = header.stored if self._exif_boxes == "stored" else header.upright
        boxes = sides.to_numpy(np.float64)[~is_empty]
        return ImageAnnotation(
            path,
            actual if self._box_format.startswith("rel_") else size,
            to_xyxy(boxes, self._box_format, actual),
            tuple(_class_name(name) for name in rows["class"][~is_empty]),
            name=file,
        )


def _class_name(value: Any) -> str:
    """Return a class as text; numbers in a column with holes come as floats."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()


def _declared_size(rows: Any) -> tuple[int, int]:
    """Return height and width that stand beside the boxes, (0, 0) where they do not."""
    if not {"height", "width"} <= set(rows.columns):
        return 0, 0
    height, width = rows["height"].iloc[0], rows["width"].iloc[0]
    try:
        return int(height), int(width)
    except (TypeError, ValueError):
        return 0, 0
