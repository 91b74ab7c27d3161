"""FeatureTable: rows of features and what is to be learned from them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import is_number
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.labels import checked_class_names, sort_class_names
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.pipeline.splits import consecutive_rows
from lightning_tf.data.sources.hugging_face import hugging_face_splits, is_hugging_face
from lightning_tf.data.sources.table_file import (
    check_columns,
    is_records,
    read_table,
    table_name,
)
from lightning_tf.data.tables.category_text import category_texts
from lightning_tf.data.tables.class_codes import class_codes, class_texts
from lightning_tf.data.tables.column_roles import ColumnRoles, row_numbers
from lightning_tf.data.tables.feature_columns import (
    FeatureColumns,
    checked_numbers,
    refuse_words,
    rows_with_values,
)
from lightning_tf.data.tables.float32_loss import needs_float64
from lightning_tf.data.tables.held_out_check import warn_of_differences
from lightning_tf.data.tables.number_format import NumberFormat
from lightning_tf.data.tables.pair_table import pair_table
from lightning_tf.data.tables.table_summary import table_summary
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

MISSING = ("error", "drop")
DEFAULT_TEST_FRACTION = 0.1

_log = logging.getLogger(__name__)


class FeatureTable(IndexedData):
    """Rows of numeric and categorical columns with a target.

    A batch is ``(inputs, targets)``. Inputs are a dict: ``numbers``, float32 of shape (batch,
    numbers), as the table has them, and ``categories``, int32 of shape (batch, categorical
    columns): 0 for categories that training rows do not have; each only where there are such
    columns. Targets are float32 of shape (batch, targets), or with ``classes=True`` int32 of shape
    (batch,). Numbers or targets that float32 would make equal, such as Unix seconds, are float64.
    Categories and classes are those of the training split.

    What a column is, is guessed as `ColumnRoles` says, and told in the log.

    Attributes:
        columns: The features, after `setup`.
        targets: Names of the target columns, after `setup`.
        class_names: Of the classes, after `setup`; empty for numbers.
        summary: What was read and how it was understood, after `setup`.
        precise_targets: Whether targets are float64, after `setup`.

    Args:
        train: A CSV, TSV or Parquet file, a DataFrame, a Dataset or DatasetDict of HuggingFace,
            arrays by column, or a pair ``(x, y)`` of
            arrays of shape (rows, features) and (rows,) or (rows, targets), or of DataFrames.
        target: The target column, or several columns of numbers; not for arrays.
        classes: Whether the target is a class instead of a number.
        features: The columns to learn from; None takes all but the target, and leaves out row
            numbers that a saved table kept (``Unnamed: 0``).
        categorical: Columns that are names though they look like numbers: 1 for red, 2 for green.
        numeric: Columns that are numbers though some cells are none; see `missing`.
        val: A table like `train`; None holds out `val_fraction`.
        test: A table like `train`; None holds out `test_fraction`.
        missing: ``error``, ``drop`` (rows), or a number that stands for missing numbers, also in
            rows to predict.
        na_values: Words or numbers that stand for a missing value, such as ``["?", -999]``.
        decimal: What stands before the fraction of a number in text.
        thousands: What groups its digits, such as the comma of 1,200.
        date_format: How dates are written where not as ISO 8601; see `date_parts`.
        class_names: Names of the classes, in their order; None takes those of the training split,
            sorted.
        val_fraction: Share of `train` to hold out, 0.1 where `val` is None.
        test_fraction: Share of `train` to hold out, 0.1 where `test` is None.
        encoding: Of CSV and TSV files.
        sep: Between their fields; None is a tab for ``.tsv`` and a comma otherwise.
        quoting: Whether quotation marks enclose their fields; None is False for tabs alone.
        batch_size: Rows in a global batch.
        seed: Decides the order of training rows; None follows the Trainer's seed.
        split_seed: Decides which rows are held out.

    Raises:
        ConfigurationError: An option is unknown or out of range.
        DataError: A column or a value is missing, a column is nearly numeric, or a class is
            unknown; raised by `setup`.

    Example:
        >>> data = FeatureTable((np.zeros((50, 3)), np.arange(50)), batch_size=8)
        >>> inputs, targets = next(iter(data.train_dataset(epoch=0)))
        >>> inputs["numbers"].shape, targets.shape
        (TensorShape([8, 3]), TensorShape([8, 1]))
    """

    columns: FeatureColumns
    targets: list[str]
    class_names: list[str]
    summary: str
    precise_targets: bool = False

    def __init__(
        self,
        train: Any,
        *,
        target: str | int | Sequence[str] | None = None,
        classes: bool = False,
        features: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        numeric: Sequence[str] = (),
        val: Any = None,
        test: Any = None,
        missing: str | float = "error",
        na_values: Sequence[str | float] = (),
        decimal: str = ".",
        thousands: str | None = None,
        date_format: str | None = None,
        class_names: Sequence[str] | None = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        encoding: str = "utf-8",
        sep: str | None = None,
        quoting: bool | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        self._missing = checked_missing(missing)
        self._format = NumberFormat(decimal, thousands, na_values)
        self._date_format = date_format
        self._csv: dict[str, Any] = {"encoding": encoding, "sep": sep, "quoting": quoting}

        tables = {"train": train, "val": val, "test": test}
        if is_hugging_face(train):
            tables |= hugging_face_splits(train)
        if test_fraction is None and tables["test"] is None:
            test_fraction = DEFAULT_TEST_FRACTION
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        self._tables = {name: table for name, table in tables.items() if table is not None}
        self._targets = _names("target", target)
        if classes and len(self._targets) > 1:
            raise ConfigurationError(f"target={self._targets!r}: classes stand in one column.")
        self.classes = classes
        self._names = None if class_names is None else [str(name) for name in class_names]

        self._features = None if features is None else _names("features", features)
        self._roles = {
            "categorical": _names("categorical", categorical),
            "numeric": _names("numeric", numeric),
        }
        _check_roles({"target": self._targets, **self._roles}, self._features)

    @property
    def column_names(self) -> dict[str, list[str]]:
        """Names of the columns of a batch's arrays, for a `DataReport`."""
        categories = list(self.columns.categories)
        numbers = {"input numbers": self.columns.numbers, "input categories": categories}
        return numbers | ({} if self.classes else {"target": self.targets})

    def load(self) -> dict[str, Split]:
        """Read the tables, split them, and learn the columns from the training split."""
        import pandas as pd

        tables = {name: self._read(name, table) for name, table in self._tables.items()}
        where = table_name(self._tables["train"])
        self._tables = {}  # no second copy while training

        # What a column is, all rows of the training table decide: it is nothing that they teach.
        features = self._feature_names(tables["train"])
        roles = ColumnRoles.of(
            tables["train"], features, self._format, date_format=self._date_format, **self._roles
        )
        tables = {n: self._clean(n, table, features, roles) for n, table in tables.items()}

        # One table, so that one source serves all splits. Its index still numbers the rows of each
        # file, which is what messages name.
        rows = consecutive_rows({name: len(table) for name, table in tables.items()})
        table = pd.concat(tables.values()) if len(tables) > 1 else tables["train"]
        del tables

        # Split before anything is learned: categories and classes are those of training rows.
        labels = class_texts(table[self.targets[0]], self._names) if self.classes else None
        groups = category_texts(table[self._group[0]]).to_numpy() if self._group else None
        splits = self.split_rows(rows, labels, groups=groups)
        source = self._learn(table, roles, features, splits, labels)
        self.summary = table_summary(where, self.columns, roles, splits, self.targets)
        _log.info("%s", self.summary)
        return {name: Split(source, indices) for name, indices in splits.items()}

    @property
    def _group(self) -> list[str]:
        """The column by which a cross-validation keeps rows together, if there is one."""
        return [self.fold.column] if self.fold is not None and self.fold.column else []

    def _learn(
        self,
        table: Any,
        roles: ColumnRoles,
        features: list[str],
        splits: Mapping[str, Indices],
        labels: NDArray[Any] | None,
    ) -> ArraySource:
        """Return the rows as arrays, after their columns are learned from those of training."""
        training = splits["train"]
        self.columns = FeatureColumns.from_table(
            table,
            features,
            rows=training,
            roles=roles,
            fill=float(self._missing) if is_number(self._missing) else None,
            number_format=self._format,
            date_format=self._date_format,
        )
        arrays = self.columns.arrays(table)
        warn_of_differences(self.columns, arrays, table, splits)

        # A network without columns of a kind has no input for them.
        inputs = {kind: array for kind, array in arrays.items() if array.shape[1]}
        if not inputs:
            raise DataError("The table has no column beside the target; give one to learn from.")
        if labels is None:
            return ArraySource(inputs, self._target_numbers(table, training))
        return ArraySource(inputs, self._target_codes(table, labels, training))

    def _read(self, name: str, data: Any) -> Any:
        """Return a table whose columns have names of text, and take the names of the targets."""
        if isinstance(data, (tuple, list)) and not is_records(data):
            table, self.targets = pair_table(name, data, self.classes)
        else:
            if not self._targets:
                raise ConfigurationError("Which column is to be learned? Name it with target=.")
            table = read_table(data, **self._csv, **self._format.csv_options())
            table, self.targets = table.rename(columns=str), self._targets

        twice = table.columns[table.columns.duplicated()]
        if len(twice):
            raise DataError(f"{table_name(data)} has the column {twice[0]!r} twice; rename one.")
        check_columns(table, table_name(data), {"target": self.targets, **self._roles})
        return self._format.without_missing(table)

    def _feature_names(self, train: Any) -> list[str]:
        if self._features is not None:
            check_columns(train, "The training table", {"features": self._features})
            return self._features
        names = [name for name in train.columns if name not in (*self.targets, *self._group)]
        left_out = row_numbers(train, names)
        if left_out:
            _log.info("%s is left out: row numbers; name it in features= to use it.", left_out[0])
        return [name for name in names if name not in left_out]

    def _clean(self, name: str, table: Any, features: list[str], roles: ColumnRoles) -> Any:
        """Return features and targets, numbers as such, without rows that `missing` drops."""
        check_columns(table, f"The {name} table", {"features": features, "groups": self._group})
        names = dict.fromkeys([*features, *self.targets, *self._group])
        table = table[list(names)].copy(deep=False)

        for column in roles.numbers + ([] if self.classes else self.targets):
            numbers, words = self._format.read(table[column])
            # Whoever names a column as numeric says that its words are missing values.
            if column not in self._roles["numeric"] or self._missing == "error":
                refuse_words(table[column], words)
            if not _has_numbers(table[column]):  # a copy of these would be no use
                table[column] = numbers

        if self._missing != "drop":
            return table
        return rows_with_values(table, f"the {name} table")

    def _target_numbers(self, table: Any, training: Indices) -> NDArray[Any]:
        self.class_names = []
        columns = [checked_numbers(table, name, self._format) for name in self.targets]
        values = np.stack(columns, axis=1)  # (rows, targets)
        self.precise_targets = any(needs_float64(column) for column in values[training].T)
        return values if self.precise_targets else values.astype(np.float32)

    def _target_codes(
        self, table: Any, labels: NDArray[Any], training: Indices
    ) -> NDArray[np.int32]:
        """Return the number of every row's class; learn the classes from the training rows."""
        names = self._names
        if names is None:
            names = sort_class_names(set(labels[training]), float)
        self.class_names = checked_class_names(names, len(names))

        self.class_labels = class_codes(table[self.targets[0]], labels, self.class_names)
        return self.class_labels


def checked_missing(missing: Any) -> Any:
    """Return what becomes of missing values.

    Raises:
        ConfigurationError: It is no number, and no name of `MISSING`.
    """
    if is_number(missing) or missing in MISSING:
        return missing
    hint = nearest(missing, MISSING)
    raise ConfigurationError(f"missing={missing!r}: give a name or a number.{hint}")


def _has_numbers(column: Any) -> bool:
    """Return whether NumPy's numbers are what a column holds already."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"


def _names(option: str, value: Any) -> list[str]:
    """Return one name or several as a list; a DataFrame of an array has columns 0, 1, ..."""
    if value is None:
        return []
    if isinstance(value, (str, int)):
        return [str(value)]
    if isinstance(value, Mapping):
        raise ConfigurationError(f"{option}={value!r} must be the name of a column, or a list.")
    return [str(name) for name in value]


def _check_roles(roles: Mapping[str, list[str]], features: list[str] | None) -> None:
    for name in roles["target"]:
        for other in ("categorical", "numeric"):
            if name in roles[other]:
                raise ConfigurationError(
                    f"target {name!r} stands in {other}= as well; leave it out."
                )
        if name in (features or ()):
            raise ConfigurationError(
                f"target {name!r} stands in features= as well: it would learn itself; leave it out."
            )
    both = [name for name in roles["categorical"] if name in roles["numeric"]]
    if both:
        raise ConfigurationError(f"{both[0]!r} is both categorical and numeric; name it once.")
