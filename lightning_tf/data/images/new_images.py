"""new_images: images to predict, in the size and values that a task has learned."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.checks import checked_range
from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.image_header import image_endings
from lightning_tf.data.images.image_spec import ImageSpec
from lightning_tf.data.images.network_images import NetworkImages, several_images
from lightning_tf.data.images.new_files import NewFiles
from lightning_tf.data.sources.listed_files import LeftOut, listed_files, shown_path
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.data.sources.skip_or_raise import ACTIONS
from lightning_tf.data.sources.table_file import (
    check_columns,
    is_frame,
    is_records,
    is_table_file,
    read_table,
    table_name,
)
from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)


def new_images(
    data: Any,
    spec: ImageSpec,
    decoding: ImageDecoding,
    *,
    value_range: tuple[float, float] | None = None,
    broken: str = "error",
    file_column: str = "filename",
    images_dir: str | os.PathLike[str] | None = None,
) -> NewExamples | None:
    """Return images to predict; None where data are something else, such as datasets.

    Files become pixels as those that the task has learned from, and images of another size are
    resized as these. Values are brought to the task's range.

    Args:
        data: A file, a folder (all images in it and below it, sorted), an array, an image of
            pillow, the content of a file, or a list of these; or a table with a column of files.
        spec: What the task has learned from.
        decoding: How it has read files; with the size of its images.
        value_range: The values of black and white in arrays; None means the task's own.
        broken: ``error`` or ``skip``: what becomes of files that cannot be decoded.
        file_column: The column of the files of a table.
        images_dir: The folder that the table's paths begin in; None is that of the table.

    Raises:
        ConfigurationError: An option is unknown.
        DataError: There is no image, a file is broken, or an array has another shape or range.
    """
    checked_choice("broken", broken, ACTIONS)
    network = NetworkImages(
        spec, decoding, None if value_range is None else checked_range(value_range)
    )
    is_row = isinstance(data, Mapping) and file_column in data
    if is_row or is_frame(data) or is_records(data) or is_table_file(data):
        return _of_table(data, network, broken, file_column, images_dir)
    if isinstance(data, (str, os.PathLike)):
        return _of_path(Path(data).expanduser(), network, broken)

    if isinstance(data, (list, tuple)) and data and all(_is_path(item) for item in data):
        names = [os.fspath(item) for item in data]
        return _of_files([os.path.expanduser(name) for name in names], names, network, broken)
    if isinstance(data, Mapping) and all(hasattr(part, "shape") for part in data.values()):
        raise DataError(
            f"the images are a dict of {', '.join(map(repr, data))}, in which nothing tells what "
            "is what; give one of its arrays."
        )
    images = several_images(data, network)
    if images is None:
        return None
    array = network.stack(images)
    return NewExamples({"row": range(len(array))}, arrays=array, pixels=network.shown(array))


def _is_path(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike))


def _of_path(path: Path, network: NetworkImages, broken: str) -> NewExamples:
    if path.is_file():
        return _of_files([str(path)], [str(path)], network, broken)
    if not path.is_dir():
        raise DataError(f"{shown_path(path)} is no file and no folder; give images to predict.")

    left_out = LeftOut()
    files = listed_files(path, image_endings(), left_out)
    said = f" Left out: {left_out}." if left_out else ""
    if not files:
        raise DataError(f"{shown_path(path)} holds no images; give some.{said}")
    if left_out:
        _log.warning("%s: %d images.%s", shown_path(path), len(files), said)
    folder = os.path.join(path, "")  # all begin with it; relpath takes longer than a header
    names = [file.removeprefix(folder).replace(os.sep, "/") for file in files]
    return _of_files(files, names, network, broken)


def _of_table(
    data: Any,
    network: NetworkImages,
    broken: str,
    file_column: str,
    images_dir: str | os.PathLike[str] | None,
) -> NewExamples:
    table = read_table(data)
    check_columns(table, table_name(data), {"file_column": [file_column]})
    if table[file_column].isna().any():
        row = int(np.flatnonzero(table[file_column].isna())[0])
        raise DataError(f"{file_column} of row {row} is empty; name the image, or drop the row.")
    own = Path(data).expanduser().parent if _is_path(data) else Path()
    folder = own if images_dir is None else Path(images_dir).expanduser()
    names = [str(name) for name in table[file_column]]
    return _of_files([str(folder / name) for name in names], names, network, broken)


def _of_files(
    files: Sequence[str], names: Sequence[str], network: NetworkImages, broken: str
) -> NewExamples:
    missing = [file for file in files if not os.path.isfile(file)]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(files)} images are not there, the first is "
            f"{shown_path(missing[0])}; correct the paths."
        )
    source = NewFiles(files, names, network, broken)
    return NewExamples({"file": source.names}, source=source, pixels=source.shown)
