"""FeatureTable: rows of features and what is to be learned from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.labels import checked_class_names, sort_class_names
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.splits import consecutive_rows, hold_out_splits
from lightning_tf.data.sources.table_file import check_columns, read_table, table_name
from lightning_tf.data.tables.feature_columns import FeatureColumns, checked_numbers
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

MISSING = ("error", "drop")
DEFAULT_TEST_FRACTION = 0.1


class FeatureTable(IndexedData):
    """Rows of numeric and categorical columns with a target.

    A batch is ``(inputs, targets)``. Inputs are a dict: ``numbers``, float32 of shape (batch,
    numeric columns), as the table has them, and ``categories``, int32 of shape (batch, categorical
    columns): 0 for categories that training rows do not have; each only where there are such
    columns. Targets are float32 of shape (batch, targets), or with ``classes=True`` int32 of shape
    (batch,). Categories and classes are those of the training split.

    Attributes:
        columns: The features, after `setup`.
        targets: Names of the target columns, after `setup`.
        class_names: Of the classes, after `setup`; empty for numbers.

    Args:
        train: A CSV, TSV or Parquet file, a DataFrame, arrays by column, or a pair ``(x, y)`` of
            arrays of shape (rows, features) and (rows,) or (rows, targets).
        target: The target column, or several columns of numbers; not for arrays.
        classes: Whether the target is a class instead of a number.
        features: The columns to learn from; None takes all but the target.
        categorical: Columns of numbers that are names: 1 for red, 2 for green.
        val: A table like `train`; None holds out `val_fraction`.
        test: A table like `train`; None holds out `test_fraction`.
        missing: ``error``, ``drop`` (rows), or a number that stands for missing numbers.
        class_names: Names of the classes, in their order; None takes those of the training split,
            sorted.
        val_fraction: Share of `train` to hold out, 0.1 where `val` is None.
        test_fraction: Share of `train` to hold out, 0.1 where `test` is None.
        encoding: Of CSV and TSV files.
        batch_size: Rows in a global batch.
        seed: Decides the order of training rows; None follows the Trainer's seed.
        split_seed: Decides which rows are held out.

    Raises:
        ConfigurationError: `missing` is unknown, or a fraction is out of range.
        DataError: A column or a value is missing, or a class is unknown; raised by `setup`.

    Example:
        >>> data = FeatureTable((np.zeros((50, 3)), np.arange(50)), batch_size=8)
        >>> inputs, targets = next(iter(data.train_dataset(epoch=0)))
        >>> inputs["numbers"].shape, targets.shape
        (TensorShape([8, 3]), TensorShape([8, 1]))
    """

    columns: FeatureColumns
    targets: list[str]
    class_names: list[str]

    def __init__(
        self,
        train: Any,
        *,
        target: str | Sequence[str] | None = None,
        classes: bool = False,
        features: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        val: Any = None,
        test: Any = None,
        missing: str | float = "error",
        class_names: Sequence[str] | None = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        encoding: str = "utf-8",
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        if test_fraction is None and test is None:
            test_fraction = DEFAULT_TEST_FRACTION
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)

        if isinstance(missing, (str, bool)) and missing not in MISSING:
            hint = nearest(missing, MISSING)
            raise ConfigurationError(f"missing={missing!r}: give a name or a number.{hint}")
        tables = {"train": train, "val": val, "test": test}
        self._tables = {name: table for name, table in tables.items() if table is not None}
        self._targets = [target] if isinstance(target, str) else list(target or ())
        if classes and len(self._targets) > 1:
            raise ConfigurationError(f"target={self._targets!r}: classes stand in one column.")

        self.classes = classes
        self._features = None if features is None else list(features)
        self._categorical, self._missing = list(categorical), missing
        self._names = None if class_names is None else [str(name) for name in class_names]
        self._encoding = encoding

    def load(self) -> dict[str, Split]:
        """Read the tables, split them, and learn the columns from the training split."""
        import pandas as pd

        tables = {name: self._read(name, table) for name, table in self._tables.items()}
        self._tables = {}  # no second copy while training
        rows = consecutive_rows({name: len(table) for name, table in tables.items()})

        # One table, so that one source serves all splits. Its index still numbers the rows of each
        # file, which is what messages name.
        table = pd.concat(tables.values()) if len(tables) > 1 else tables["train"]

        # Split before anything is learned: categories and classes are those of training rows.
        labels = table[self.targets[0]].astype(str).to_numpy() if self.classes else None
        splits = hold_out_splits(
            rows, labels, self._val_fraction, self._test_fraction, self.split_seed
        )
        training = splits["train"]
        features = self._features
        if features is None:
            features = [str(name) for name in table.columns if name not in self.targets]
        self.columns = FeatureColumns.from_table(table.iloc[training], features, self._categorical)

        # A network without columns of a kind has no input for them.
        inputs = {k: array for k, array in self.columns.arrays(table).items() if array.shape[1]}
        if not inputs:
            raise DataError("The table has no column beside the target; give one to learn from.")
        source = ArraySource(inputs, self._target_array(table, training))
        return {name: Split(source, indices) for name, indices in splits.items()}

    def _read(self, name: str, data: Any) -> Any:
        if isinstance(data, (tuple, list)):
            table, self.targets = _table_of(name, data, self.classes)
        else:
            if not self._targets:
                raise ConfigurationError("Which column is to be learned? Name it with target=.")
            table, self.targets = read_table(data, self._encoding), self._targets

        # Columns in the order of `features`, or of the file, without the target.
        table = table.rename(columns=str)
        features = self._features or []
        columns = {"target": self.targets, "categorical": self._categorical, "features": features}
        check_columns(table, table_name(data), columns)
        features = features or [name for name in table.columns if name not in self.targets]
        table = table[[*features, *self.targets]]

        if self._missing == "drop":
            table = table.replace([np.inf, -np.inf], np.nan).dropna()
            if not len(table):
                raise DataError(f"Every row of the {name} table lacks a value; fill some.")
        elif self._missing != "error":
            # Features alone: a target that is missing cannot be made up.
            numeric = table[features].select_dtypes("number").columns
            table = table.assign(**{c: table[c].fillna(float(self._missing)) for c in numeric})
        return table

    def _target_array(self, table: Any, training: NDArray[np.int64]) -> NDArray[Any]:
        """Return the targets of every row; learn the classes from the training rows."""
        if not self.classes:
            self.class_names = []
            columns = [checked_numbers(table, name) for name in self.targets]
            return np.stack(columns, axis=1).astype(np.float32)

        cells = table[self.targets[0]]
        missing = np.flatnonzero(cells.isna().to_numpy())
        if len(missing):
            raise DataError(f"{self.targets[0]} of row {table.index[missing[0]]} is missing.")

        labels = cells.astype(str).to_numpy()
        names = self._names
        if names is None:
            names = sort_class_names(set(labels[training]), float)
        self.class_names = checked_class_names(names, len(names))

        codes = {label: code for code, label in enumerate(self.class_names)}
        unknown = [row for row, label in enumerate(labels) if label not in codes]
        if unknown:
            raise DataError(
                f"{self.targets[0]} of row {table.index[unknown[0]]} is {labels[unknown[0]]!r}, "
                f"which is no class of the training rows.{nearest(labels[unknown[0]], codes)}"
            )
        return np.array([codes[label] for label in labels], np.int32)


def _table_of(name: str, pair: Any, classes: bool) -> tuple[Any, list[str]]:
    import pandas as pd

    if len(pair) != 2:
        raise DataError(f"{name} has {len(pair)} parts; give a pair (x, y).")
    x, y = map(np.asarray, pair)

    x = x[:, np.newaxis] if x.ndim == 1 else x
    y = y[:, np.newaxis] if y.ndim == 1 else y
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or (classes and y.shape[1] != 1):
        raise DataError(
            f"{name} has x of shape {x.shape} and y of shape {y.shape}; give (rows, features) and "
            f"{'(rows,)' if classes else '(rows,) or (rows, targets)'}."
        )

    targets = ["y"] if y.shape[1] == 1 else [f"y_{number}" for number in range(y.shape[1])]
    table = pd.DataFrame({f"x_{number}": x[:, number] for number in range(x.shape[1])})
    return table.assign(**{t: y[:, number] for number, t in enumerate(targets)}), targets
