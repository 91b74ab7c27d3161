"""read_csv_file: a CSV or TSV file whose rows have the fields of its header."""

import bz2
import csv
import gzip
import logging
import lzma
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.exceptions import DataError

SEPARATORS = (",", ";", "\t", "|")
CHECKED_ROWS = 100_000  # for fields that are missing at the end, which shifts nothing

_OPENERS: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_log = logging.getLogger(__name__)


def read_csv_file(
    path: Path,
    encoding: str = "utf-8",
    sep: str | None = None,
    quoting: bool | None = None,
    blank_rows: bool = False,
    **options: Any,
) -> Any:
    """Read a text table as a DataFrame whose columns are those of its header.

    Rows with more fields than the header are refused, unless these are empty: pandas would take the
    first field for an index and shift all others by one. Rows with fewer are told.

    Args:
        path: The file; ``.gz``, ``.bz2``, ``.xz`` and what else pandas knows are decompressed.
        encoding: Of the text.
        sep: Between fields; None is a tab for ``.tsv`` and a comma otherwise.
        quoting: Whether quotation marks enclose fields, which may then hold separators and line
            breaks; None is False for tabs, as the format has no quoting, and True otherwise.
        blank_rows: Whether a blank line is a row where there is one column, of which it is then the
            cell; pandas drops it.
        **options: Further arguments of `pandas.read_csv`.

    Raises:
        DataError: Rows do not fit the header, or another separator stands in it.
    """
    import pandas as pd

    name = shown_path(path)
    if sep is None:
        sep = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes] else ","
    quotes = sep != "\t" if quoting is None else quoting
    # In pieces, pandas would guess the dtype of each alone: "007" is 7 in one, text in the next.
    how = {"sep": sep, "encoding": encoding, "index_col": False, "low_memory": False}
    if not quotes:
        how["quoting"] = csv.QUOTE_NONE

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(path, **{**how, **options})
            if blank_rows and len(table.columns) == 1:
                whole = pd.read_csv(path, **{**how, **options, "skip_blank_lines": False})
                # Blank lines before the header would be one.
                table = whole if whole.columns.equals(table.columns) else table
        except (pd.errors.ParserWarning, pd.errors.ParserError) as error:
            raise DataError(_problem(name, error, sep, quotes)) from error

    columns = [str(column) for column in table.columns]
    if len(columns) == 1:
        other = next((mark for mark in SEPARATORS if mark != sep and mark in columns[0]), None)
        if other is not None:
            raise DataError(
                f"{name} has one column {columns[0]!r} when its fields are separated by {sep!r}; "
                f"pass sep={other!r}."
            )
    if len(table) and _is_empty(table.iloc[:, -1]).any():
        _tell_short_rows(path, encoding, sep, quotes, len(columns))
    if not quotes and quoting is None:
        _tell_quotes(name, table)
    return table


def _problem(name: str, error: Exception, sep: str, quotes: bool) -> str:
    """Return what is wrong with the fields of a file."""
    if isinstance(error, Warning):
        what = "rows have more fields than the header"
    else:
        # pandas: "Error tokenizing data. C error: Expected 2 fields in line 3, saw 4"
        what = str(error).strip().split("C error: ")[-1].rstrip(".")
    inside = f"put a field that holds {sep!r} into quotation marks"
    if not quotes:
        inside = f"replace {sep!r} inside fields, or pass quoting=True where marks enclose them"
    return (
        f"{name} cannot be read as a table: {what}, so that fields would stand under other names. "
        f"Name every column in the header, {inside}, or pass the sep= that it was written with."
    )


def _is_empty(column: Any) -> Any:
    return column.isna() | (column == "") if column.dtype.kind in "OTU" else column.isna()


def _tell_short_rows(path: Path, encoding: str, sep: str, quotes: bool, count: int) -> None:
    """Say which rows have fewer fields than the header: their last cells are empty."""
    opener = _OPENERS.get(path.suffix.lower(), open)
    style: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    short, first = 0, 0
    try:
        with opener(path, "rt", encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=sep, quoting=style)
            for row in islice(reader, CHECKED_ROWS):
                if row and len(row) < count:
                    short, first = short + 1, first or reader.line_num
    except (csv.Error, OSError, UnicodeError, TypeError):
        return  # a format or a field that Python's reader does not take
    if short:
        _log.warning(
            "%s: %d rows have fewer fields than the header, the first in line %d; their last cells "
            "are taken for empty.",
            shown_path(path),
            short,
            first,
        )


def _tell_quotes(name: str, table: Any) -> None:
    """Say where quotation marks seem to enclose whole fields, of which they are a part now."""
    for column in table.columns:
        values = table[column].head(CHECKED_ROWS)
        if values.dtype.kind not in "OTU" or not len(values):
            continue
        texts = values.dropna().astype(str)
        enclosed = texts.str.startswith('"') & texts.str.endswith('"') & (texts.str.len() > 1)
        if len(texts) and enclosed.all():
            _log.warning(
                "%s: every cell of %r is in quotation marks, which are taken for a part of it; "
                "pass quoting=True where they enclose cells.",
                name,
                column,
            )
