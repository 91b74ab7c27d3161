"""ImageTable: images whose files and labels stand in the columns of a table."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.file_images import FileImages
from lightning_tf.data.images.image_rows import ImageRows
from lightning_tf.data.images.image_targets import (
    CLASSIFICATION,
    MULTI_LABEL,
    REGRESSION,
    checked_objective,
)
from lightning_tf.data.images.label_columns import (
    ClassColumn,
    LabelColumns,
    NumberColumns,
    SeparatedLabels,
    TruthColumns,
    refuse_empty,
)
from lightning_tf.data.indexed_data import Split
from lightning_tf.data.sources.hugging_face import hugging_face_splits, is_hugging_face
from lightning_tf.data.sources.skip_or_raise import ACTIONS, skip_or_raise
from lightning_tf.data.sources.split_folders import splits_by_name
from lightning_tf.data.sources.table_file import check_columns, read_table, table_name
from lightning_tf.exceptions import ConfigurationError, DataError

SHOWN_NAMES = 10

_log = logging.getLogger(__name__)


class ImageTable(FileImages):
    """Images of any size whose files and labels stand in the columns of a table.

    Batches are ``(images, labels)``: uint8 of shape (batch, height, width, channels), 0 to 255, and
    by what is learned

    - ``classification``: int32 of shape (batch,), places in `class_names`;
    - ``multi_label``: float32 of shape (batch, labels), 1 where an image has the label;
    - ``regression``: floats of shape (batch, numbers); float64 where float32 would make different
      ones equal.

    Attributes:
        objective: One of the three.
        num_classes: How many classes, labels or numbers there are, after `setup`.
        class_names: Their names, after `setup`.
        summary: What was read, after `setup`.

    Args:
        train: A CSV, TSV, Parquet, JSON Lines or Excel file, a DataFrame, or rows as dicts. Cells
            of CSV and TSV files are taken as they are written.
        val: A table like `train`; None holds out `val_fraction` of its images.
        test: A table like `train`; None holds out `test_fraction`.
        predict: A table of files to predict, of which labels are not read.
        file_column: The column of the files: paths below `images_dir`, or whole ones.
        label_column: The column of the class; of the labels, with `label_sep`; or of the number.
            None is ``label``.
        label_columns: Several columns: of 0 and 1, one for each label, or of numbers.
        label_sep: What stands between several labels in one cell, such as ``|``.
        objective: ``classification``, ``multi_label`` or ``regression``; None is ``multi_label``
            with `label_columns` or `label_sep`, and ``classification`` without.
        split_column: The column that says of which split a row is: train, val or test, or another
            name that `split_folders` knows.
        images_dir: The folder of the images; None is the folder of the table or ``images`` in it,
            and for a table in memory the folder that the program runs in.
        class_names: Names of the classes or labels, in their order; None takes those of the
            training rows, sorted.
        missing: What to do with rows whose file is not there: ``error`` names the first, ``skip``
            leaves them out and warns once.
        encoding: Of CSV and TSV files.
        sep: Between their fields; None is a tab for ``.tsv`` and a comma otherwise.
        quoting: Whether quotation marks enclose their fields; None is False for tabs alone.
        **options: Those of `FileImages`: image_size, channels, background, value_range,
            crop_to_aspect_ratio, resize, broken, in_memory, val_fraction, test_fraction,
            batch_size, seed, split_seed.

    Raises:
        ConfigurationError: Options contradict each other, or an argument is out of range.
        DataError: A column, a file or a label is missing, a label is unknown, an image stands in
            two splits or has two labels, or a file is broken; raised by `setup`.

    Example:
        >>> data = ImageTable("labels.csv", label_column="tags", label_sep="|", image_size=160)
        >>> data.objective
        'multi_label'
    """

    num_classes: int
    class_names: list[str]
    summary: str

    def __init__(
        self,
        train: Any,
        *,
        val: Any = None,
        test: Any = None,
        predict: Any = None,
        file_column: str = "filename",
        label_column: str | None = None,
        label_columns: Sequence[str] | None = None,
        label_sep: str | None = None,
        objective: str | None = None,
        split_column: str | None = None,
        images_dir: str | os.PathLike[str] | None = None,
        class_names: Sequence[str] | None = None,
        missing: Literal["error", "skip"] = "error",
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
        self._tables = {name: table for name, table in tables.items() if table is not None}
        self._predict = predict
        if split_column is not None and len(self._tables) > 1:
            raise ConfigurationError(
                f"split_column={split_column!r} says which split a row is of; drop it, or the "
                "tables val= and test=."
            )
        self._labels = _label_columns(
            label_column, label_columns, label_sep, objective, class_names
        )
        self.objective = self._labels.objective

        self._file_column, self._split_column = file_column, split_column
        self._images_dir = None if images_dir is None else Path(images_dir).expanduser()
        self._missing = checked_choice("missing", missing, ACTIONS)
        self._csv: dict[str, Any] = {"encoding": encoding, "sep": sep, "quoting": quoting}

    @property
    def column_names(self) -> dict[str, list[str]]:
        """Names of the columns of a batch's labels, for a `DataReport`."""
        return {} if self.objective == CLASSIFICATION else {"target": self.class_names}

    def load(self) -> dict[str, Split]:
        """Read the tables, find the files, learn the labels and split."""
        files = self.workers.unless_one_fails(self._labelled_files)
        self._tables, self._predict = {}, None  # no second copy while training
        is_classes = self.objective == CLASSIFICATION
        root = Path(os.path.commonpath([path for paths, _ in files.values() for path in paths]))
        return self.splits_of(root, files, self.class_names if is_classes else None)

    def _labelled_files(self) -> dict[str, tuple[list[str], NDArray[Any]]]:
        """Return the paths and labels of each split."""
        rows, paths = self._find_files(self._read_rows())
        labels, self.class_names = self._labels.learn(rows)
        self.num_classes = len(self.class_names)

        first, repeated = _first_rows(rows, paths, labels)
        labels, owners = labels[first], rows.owners[first]
        self._tell(rows, labels, owners, repeated)
        listed = np.array(paths, object)[first]
        files = {
            split: (listed[owners == split].tolist(), labels[owners == split])
            for split in dict.fromkeys(["train", *owners])
        }
        if self._predict is not None:
            _, to_predict = self._find_files(self._rows_to_predict(self._predict))
            # Of the shape of labels, which nobody reads there.
            files["predict"] = (
                to_predict,
                np.zeros_like(labels, shape=(len(to_predict), *labels.shape[1:])),
            )
        return files

    def _rows_to_predict(self, data: Any) -> ImageRows:
        """Return the rows of the table of images without labels."""
        table = read_table(data, **self._csv, dtype=object, keep_default_na=False)
        table = table.rename(columns=str)
        check_columns(table, table_name(data), {"file_column": [self._file_column]})
        names = np.repeat([Path(table_name(data)).name], len(table))
        rows = ImageRows(table[[self._file_column]], np.repeat(["predict"], len(table)), names)
        refuse_empty(rows, self._file_column, "name the image, or drop the row")
        _log.info("%s: %d images to predict.", table_name(data), len(table))
        return rows

    def _read_rows(self) -> ImageRows:
        """Return the rows of all tables."""
        import pandas as pd

        options: dict[str, Sequence[str]] = {"file_column": [self._file_column]}
        options.update(self._labels.options)
        if self._split_column is not None:
            options["split_column"] = [self._split_column]

        columns = list(dict.fromkeys(name for names in options.values() for name in names))
        tables = []
        for data in self._tables.values():
            # As they are written: "NA" is a class, and 01 another one than 1.
            table = read_table(data, **self._csv, dtype=object, keep_default_na=False)
            table = table.rename(columns=str)
            check_columns(table, table_name(data), options)
            tables.append(table[columns])
        counts = [len(table) for table in tables]
        names = [Path(table_name(data)).name for data in self._tables.values()]
        owners = np.repeat(list(self._tables), counts)

        rows = ImageRows(pd.concat(tables), owners, np.repeat(names, counts))
        refuse_empty(rows, self._file_column, "name the image, or drop the row")
        return rows if self._split_column is None else self._with_splits(rows, self._split_column)

    def _with_splits(self, rows: ImageRows, column: str) -> ImageRows:
        """Return rows whose owners are what their split column says."""
        said = [str(cell).strip() for cell in rows.table[column]]
        splits = splits_by_name(dict.fromkeys(said))
        for place, name in enumerate(said):
            if splits[name] is None:
                raise DataError(
                    f"{column} of {rows.name(place)} is {rows.table[column].iloc[place]!r}; "
                    "write train, val or test."
                )
        owners = np.array([splits[name] for name in said])
        if "train" not in owners:
            raise DataError(f"{column} names no row to train on; write train.")
        return ImageRows(rows.table, owners, rows.files)

    def _find_files(self, rows: ImageRows) -> tuple[ImageRows, list[str]]:
        """Return the rows whose files are there, and the paths of these."""
        cells = rows.table[self._file_column].tolist()
        names = [str(cell).strip() for cell in cells]
        # With a split column there is one table, that of training.
        is_split = len(self._tables) == 1
        tables = [
            "train" if is_split and name != "predict" else name for name in rows.owners.tolist()
        ]
        sources = {**self._tables, "predict": self._predict}
        folders = {name: self._folders(sources[name]) for name in set(tables)}
        found: list[str | None] = []
        for table, name in zip(tables, names, strict=True):
            paths = (os.path.normpath(os.path.join(folder, name)) for folder in folders[table])
            found.append(next((path for path in paths if os.path.isfile(path)), None))

        lost = [row for row, path in enumerate(found) if path is None]
        if lost:
            searched = " and ".join(map(str, folders[tables[lost[0]]]))
            skip_or_raise(
                "missing",
                self._missing,
                f"{len(lost)} of {len(found)} images are not there, the first is "
                f"{cells[lost[0]]!r} of {rows.name(lost[0])}, looked for in {searched}; where they "
                "lie elsewhere pass images_dir=",
            )
        there = np.setdiff1d(np.arange(len(found)), lost)
        kept = rows.kept(there)
        if not np.isin(kept.owners, ["train", "predict"]).any():
            raise DataError(
                f"No image to {'predict' if 'predict' in tables else 'train on'} is there; pass "
                "their folder as images_dir=."
            )
        return kept, [path for path in found if path is not None]

    def _folders(self, data: Any) -> list[Path]:
        """Return where the images of a table may lie."""
        if self._images_dir is not None:
            return [self._images_dir.absolute()]
        if isinstance(data, (str, os.PathLike)):
            beside = Path(data).expanduser().parent.absolute()
            return [beside, beside / "images"]
        return [Path.cwd()]

    def _tell(
        self, rows: ImageRows, labels: NDArray[Any], owners: NDArray[np.str_], repeated: int
    ) -> None:
        """Say in one line what is read; a warning where something may be missed."""
        sizes = ", ".join(f"{name} {(owners == name).sum()}" for name in dict.fromkeys(owners))
        training = labels[owners == "train"]
        untrained: list[str] = []
        if self.objective == REGRESSION:
            known = ", ".join(
                f"{name} {column.min():g} to {column.max():g}"
                for name, column in zip(self.class_names, labels.T, strict=True)
            )
        else:
            count = len(self.class_names)
            classes = self.objective == CLASSIFICATION
            counts = np.bincount(labels, minlength=count) if classes else labels.sum(axis=0)
            trained = np.bincount(training, minlength=count) if classes else training.sum(axis=0)
            untrained = [n for n, c in zip(self.class_names, trained, strict=True) if not c]
            shown = list(zip(self.class_names, counts, strict=True))[:SHOWN_NAMES]
            known = f"{count} {'classes' if classes else 'labels'}: "
            known += ", ".join(f"{name} {int(number)}" for name, number in shown)
            known += f", and {count - SHOWN_NAMES} more" if count > SHOWN_NAMES else ""
            if not classes:
                known += f"; {int((~labels.any(axis=1)).sum())} images without a label"

        self.summary = f"{rows.files[0]}: {len(owners)} images ({sizes}) of {known}."
        if repeated:
            self.summary += f" {repeated} rows repeat an image and its labels: read once."
        if untrained:
            self.summary += f" No training image is {', '.join(untrained[:SHOWN_NAMES])}."
        _log.log(logging.WARNING if repeated or untrained else logging.INFO, "%s", self.summary)


def _label_columns(
    column: str | None,
    columns: Sequence[str] | None,
    separator: str | None,
    objective: str | None,
    class_names: Sequence[str] | None,
) -> LabelColumns:
    """Return how labels are read, by the options that name them."""
    if columns is not None and (isinstance(columns, str) or not len(columns)):
        raise ConfigurationError(f"label_columns={columns!r}: give a list of columns.")
    given = {"label_column": column, "label_columns": columns, "label_sep": separator}
    named = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if columns is not None and len(named) > 1:
        raise ConfigurationError(f"{' and '.join(named)}: give one of them.")
    if objective is None and (columns is not None or separator is not None):
        objective = MULTI_LABEL
    chosen = checked_objective(objective)
    if class_names is not None and (columns is not None or chosen == REGRESSION):
        raise ConfigurationError(f"class_names={class_names!r}: the columns are the names.")

    label = "label" if column is None else column
    if chosen == REGRESSION and separator is None:
        if columns is None:
            return NumberColumns([label], "label_column")
        return NumberColumns([str(name) for name in columns])
    if chosen == MULTI_LABEL and columns is not None:
        return TruthColumns([str(name) for name in columns])
    if chosen == MULTI_LABEL and separator:
        return SeparatedLabels(label, separator, class_names)
    if chosen == CLASSIFICATION and not named[1:] and columns is None and separator is None:
        return ClassColumn(label, class_names)

    remedy: Mapping[str, str] = {
        CLASSIFICATION: "takes the class from one column, label_column=",
        MULTI_LABEL: "takes columns of 0 and 1, label_columns=, or what separates labels in one, "
        "label_sep='|'",
        REGRESSION: "takes columns of numbers, label_column= or label_columns=",
    }
    raise ConfigurationError(
        f"objective={chosen!r} {remedy[chosen]}; given {', '.join(named) or 'neither'}."
    )


def _first_rows(
    rows: ImageRows, paths: Sequence[str], labels: NDArray[Any]
) -> tuple[NDArray[np.int64], int]:
    """Return the first row of each image, and how many others repeat one.

    Raises:
        DataError: Rows of one image differ in their labels or splits.
    """
    first: dict[str, int] = {}
    for row, path in enumerate(paths):
        other = first.setdefault(path, row)
        if other == row:
            continue
        where = f"{path} stands in {rows.name(other)} and in {rows.name(row)}"
        if rows.owners[other] != rows.owners[row]:
            raise DataError(
                f"{where}, of the splits {rows.owners[other]} and {rows.owners[row]}; leave it in "
                "one."
            )
        if not np.array_equal(labels[other], labels[row]):
            raise DataError(
                f"{where}, with other labels; keep one row for each image. Several labels stand in "
                "one cell, see label_sep=."
            )
    return np.array(list(first.values()), np.int64), len(paths) - len(first)
