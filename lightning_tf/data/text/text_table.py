"""TextTable: texts and labels in named columns of tables."""

from typing import Any

from lightning_tf.data.sources.hugging_face import (
    class_names_of,
    hugging_face_splits,
    is_hugging_face,
)
from lightning_tf.data.sources.table_file import check_columns, read_table, table_name
from lightning_tf.data.text.text_arrays import Pair, TextArrays


class TextTable(TextArrays):
    """Texts and labels in columns of tables: files, DataFrames, data sets of HuggingFace.

    In text files every cell is taken as it is written: a text "NA" is a text, and a label 01 is not
    the label 1. Rows cannot be read one by one, so each of several workers reads the whole files.

    Args:
        train: The table to train on: a CSV, TSV (both also compressed), Parquet, JSON Lines or
            Excel file, a DataFrame, rows as dicts, or a Dataset of HuggingFace; or a DatasetDict,
            which brings its splits. Class labels of HuggingFace keep their names and order.
        val: A table to validate on; None holds out `val_fraction` of the training rows.
        test: A table to test on; None holds out `test_fraction`.
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
        train: Any,
        *,
        val: Any = None,
        test: Any = None,
        text_column: str = "text",
        label_column: str = "label",
        encoding: str = "utf-8",
        sep: str | None = None,
        quoting: bool | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        tables = {"train": train, "val": val, "test": test}
        if is_hugging_face(train):
            tables |= hugging_face_splits(train)
            if self._names is None:
                self._names = class_names_of(tables["train"], label_column)
        self._tables = {name: table for name, table in tables.items() if table is not None}
        self._columns = {"text_column": text_column, "label_column": label_column}
        self._encoding, self._fields = encoding, {"sep": sep, "quoting": quoting}

    def read(self) -> dict[str, Pair]:
        """Read the two columns of each table."""
        pairs = {name: self._read_pair(table) for name, table in self._tables.items()}
        self._tables = {}  # no second copy while training
        return pairs

    def _read_pair(self, data: Any) -> Pair:
        # Every cell as it is written: "NA" is a text, and 01 another label than 1.
        how: dict[str, Any] = {**self._fields, "dtype": object, "keep_default_na": False}
        table = read_table(data, self._encoding, **how)
        name = table_name(data)
        check_columns(table, name, {option: [column] for option, column in self._columns.items()})
        texts, labels = (table[name] for name in self._columns.values())
        return texts.tolist(), labels.to_numpy(object)
