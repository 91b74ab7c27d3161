"""new_texts: texts to predict, as a user has them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.sources.listed_files import LeftOut, listed_files, shown_path
from lightning_tf.data.sources.new_examples import NewExamples
from lightning_tf.data.sources.table_file import (
    ENDINGS,
    check_columns,
    is_frame,
    is_records,
    is_table_file,
    read_table,
    table_name,
)
from lightning_tf.exceptions import DataError

_log = logging.getLogger(__name__)


def new_texts(
    data: Any, *, text_column: str = "text", encoding: str = "utf-8", **csv_options: Any
) -> NewExamples | None:
    """Return texts to predict, in their order; None where data are something else.

    Args:
        data: A text, a list, an array or a Series of texts; a table with a column of texts, as a
            file or in memory, or one row as a dict; a `Path` of a text file, which has a text in
            each line, or of a folder of text files, which each are a text; the file may be named
            by a str, which is told. A list holds texts alone.
        text_column: The column of a table.
        encoding: Of files.
        **csv_options: ``sep`` and ``quoting`` of CSV and TSV files.

    Raises:
        DataError: There is no text, a file or column is missing, or a cell is no text; or a single
            text is the name of a file that is not there.

    Example:
        >>> new_texts(["good", "bad"]).names["text"]
        ['good', 'bad']
    """
    is_table = is_table_file(data) or is_records(data) or is_frame(data)
    if is_table or (isinstance(data, Mapping) and text_column in data):
        # Every cell as it is written: "NA" is a text, and so is a line of blanks.
        how: dict[str, Any] = {**csv_options, "dtype": object, "keep_default_na": False}
        how["blank_rows"] = True
        table = read_table(data, encoding, **how)
        check_columns(table, table_name(data), {"text_column": [text_column]})
        others = [str(name) for name in table.columns if name != text_column]
        if others:
            _log.info("columns that are not read: %s.", ", ".join(others))
        return _named(table[text_column].tolist())
    if isinstance(data, str) and _is_file_name(data):
        data = Path(data)
    if isinstance(data, os.PathLike):
        return _of_path(Path(data).expanduser(), encoding)
    if isinstance(data, (str, bytes)):
        return _named([data])

    is_column = hasattr(data, "to_list")
    if isinstance(data, np.ndarray) and data.dtype.kind in "OSTU":
        is_column, data = True, _column(data)
    if is_column or isinstance(data, (list, tuple)):
        texts = list(data)
        if not texts:
            raise DataError("there are no texts to predict; give at least one.")
        is_text = [isinstance(text, (str, bytes)) for text in texts]
        if is_column or any(is_text) or all(np.ndim(text) == 0 for text in texts):
            return _named(texts)
    return None


def _column(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of shape (texts,), also of one of shape (texts, 1)."""
    if array.ndim == 0 or array.size != len(array):
        raise DataError(f"the texts are an array of shape {array.shape}; give (texts,).")
    return array.reshape(-1)


def _is_file_name(text: str) -> bool:
    """Return whether a single text names a file that is there, and say so.

    Raises:
        DataError: It can only be the name of a file, which is not there.
    """
    if os.path.isfile(os.path.expanduser(text)):
        _log.warning("%s is a file: what it holds is read; [%r] is the text.", text, text)
        return True
    is_word = len(text.split()) == 1
    if is_word and text.lower().endswith((*ENDINGS, ".txt", ".csv.gz", ".tsv.gz")):
        raise DataError(
            f"{shown_path(text)} is no file that is there; correct the path, or give a list, "
            f"[{text!r}], where it is a text."
        )
    return False


def _of_path(path: Path, encoding: str) -> NewExamples:
    if path.is_dir():
        left_out = LeftOut()
        files = listed_files(path, [".txt"], left_out)
        said = f" Left out: {left_out}." if left_out else ""
        if not files:
            raise DataError(f"{shown_path(path)} holds no text files (.txt); give some.{said}")
        if left_out:
            _log.warning("%s: %d text files.%s", shown_path(path), len(files), said)
        names = [shown_path(Path(os.path.relpath(file, path)).as_posix()) for file in files]
        texts = [_read(Path(file), encoding) for file in files]
        return _examples(texts).named(file=names)

    lines = _read(path, encoding).splitlines()
    if not lines:
        raise DataError(f"{shown_path(path)} is empty; give a text in each line.")
    return _named(lines)


def _read(path: Path, encoding: str) -> str:
    try:
        return path.read_text(encoding)
    except (OSError, UnicodeError, LookupError) as error:
        raise DataError(
            f"{shown_path(path)} cannot be read as text: {error}. Check the path and "
            f"encoding={encoding!r}."
        ) from error


def _named(texts: Iterable[Any]) -> NewExamples:
    texts = [text.decode() if isinstance(text, bytes) else text for text in texts]
    wrong = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        raise DataError(
            f"text {wrong[0]} is {texts[wrong[0]]!r}, and {len(wrong)} of {len(texts)} are no "
            "texts; replace or drop them."
        )
    return _examples(texts).named(row=range(len(texts)), text=texts)


def _examples(texts: list[str]) -> NewExamples:
    return NewExamples({}, arrays=np.array([text.encode() for text in texts], object))
