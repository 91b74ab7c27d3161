"""TextTable: texts and labels in named columns of CSV or Parquet files."""

import os
from pathlib import Path
from typing import Any

from lightning_tf.data.sources.table_file import check_columns, read_table_file
from lightning_tf.data.text.text_arrays import Pair, TextArrays

FilePath = str | os.PathLike[str]


class TextTable(TextArrays):
    """Texts and labels in columns of tables: CSV, TSV (both also compressed) or Parquet.

    In text files every cell is taken as it is written: a text "NA" is a text, and a label 01 is not
    the label 1. Rows cannot be read one by one, so each of several workers reads the whole files.

    Args:
        train: The file to train on.
        val: A file to validate on; None holds out `val_fraction` of the training rows.
        test: A file to test on; None holds out `test_fraction`.
        text_column: The column of the texts.
        label_column: The column of the labels.
        encoding: Of CSV and TSV files.
        sep: Between the fields of these; None is a tab for TSV and a comma for CSV.
        quoting: Whether quotation marks enclose fields; None is False for tabs, True otherwise.
        **options: Those of `TextArrays`: class_names, empty, val_fraction, test_fraction,
            batch_size, seed, split_seed.

    Raises:
        DataError: A file or a column is missing, or a file cannot be read; raised by `setup`.

    Example:
        >>> data = TextTable("reviews.csv", text_column="review", label_column="stars")
    """

    def __init__(
        self,
        train: FilePath,
        *,
        val: FilePath | None = None,
        test: FilePath | None = None,
        text_column: str = "text",
        label_column: str = "label",
        encoding: str = "utf-8",
        sep: str | None = None,
        quoting: bool | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        files = {"train": train, "val": val, "test": test}
        self._files = {n: Path(path).expanduser() for n, path in files.items() if path is not None}
        self._columns = {"text_column": text_column, "label_column": label_column}
        self._encoding, self._fields = encoding, {"sep": sep, "quoting": quoting}

    def read(self) -> dict[str, Pair]:
        """Read the two columns of each file."""
        return {name: self._read_pair(path) for name, path in self._files.items()}

    def _read_pair(self, path: Path) -> Pair:
        # Every cell as it is written: "NA" is a text, and 01 another label than 1.
        how: dict[str, Any] = {**self._fields, "dtype": object, "keep_default_na": False}
        table = read_table_file(path, self._encoding, **how)
        check_columns(table, str(path), {option: [name] for option, name in self._columns.items()})
        texts, labels = (table[name] for name in self._columns.values())
        return texts.tolist(), labels.to_numpy(object)
