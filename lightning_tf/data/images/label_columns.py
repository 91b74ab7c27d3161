"""What the label columns of a table of images hold: a class, several labels, or numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.image_rows import ImageRows
from lightning_tf.data.images.image_targets import (
    CLASSIFICATION,
    MULTI_LABEL,
    REGRESSION,
    with_precision,
)
from lightning_tf.data.labels import checked_class_names, is_missing, sort_class_names
from lightning_tf.data.tables.category_text import category_texts
from lightning_tf.data.tables.number_format import NumberFormat
from lightning_tf.exceptions import DataError, nearest

TRUTH = {"0": 0, "1": 1, "false": 0, "true": 1}


class LabelColumns(Protocol):
    """How labels are read from a table.

    Attributes:
        objective: What they are for, one of `OBJECTIVES`.
        options: The columns that are read, by the option that names them.
    """

    objective: str
    options: Mapping[str, Sequence[str]]

    def learn(self, rows: ImageRows) -> tuple[NDArray[Any], list[str]]:
        """Return the labels of all rows, and the names of classes, labels or numbers."""


@dataclass
class ClassColumn:
    """One class for each image, in one column.

    Labels are int32 of shape (rows,): places in the names, which are those of the training rows,
    sorted, numbers by their size.

    Args:
        column: Its name.
        class_names: In their order; None takes those of the training rows.

    Raises:
        DataError: A class is missing or unknown, or the classes are numbers with fractions.
    """

    column: str
    class_names: Sequence[str] | None = None
    objective: str = CLASSIFICATION

    def __post_init__(self) -> None:
        """Name the column's option."""
        self.options: Mapping[str, Sequence[str]] = {"label_column": [self.column]}

    def learn(self, rows: ImageRows) -> tuple[NDArray[Any], list[str]]:
        """Return the place of each row's class, and the classes."""
        cells = rows.table[self.column]
        refuse_empty(rows, self.column, "drop its row, or give it a class of its own")
        texts = category_texts(cells).to_numpy(object)
        if self.class_names is None:
            names = sort_class_names(set(texts[rows.is_training]), float)
            self._refuse_fractions(rows, texts, names)
        else:
            names = [str(name) for name in self.class_names]
        names = checked_class_names(names, len(names))
        places = {name: place for place, name in enumerate(names)}
        for row in np.flatnonzero([text not in places for text in texts]):
            raise DataError(
                f"{self.column} of {rows.name(row)} is {texts[row]!r}, which is no class of the "
                f"training images.{nearest(texts[row], names)}"
            )
        return np.array([places[text] for text in texts], np.int32), names

    def _refuse_fractions(self, rows: ImageRows, texts: NDArray[Any], names: Sequence[str]) -> None:
        try:
            fractions = [name for name in names if not float(name).is_integer()]
        except (ValueError, OverflowError):
            return  # names
        if fractions:
            row = int(np.flatnonzero(texts == fractions[0])[0])
            raise DataError(
                f"{self.column} holds numbers with fractions, such as {fractions[0]} in "
                f"{rows.name(row)}: pass objective='regression' to learn them, or class_names= "
                "where they are names of classes."
            )


@dataclass
class SeparatedLabels:
    """Several labels for each image, in one column: ``cat|dog``.

    Labels are float32 of shape (rows, names), 1 where an image has the label. An image whose cell
    is the empty text has none.

    Args:
        column: Its name.
        separator: Between labels; space around them does not count.
        class_names: Names of the labels; None takes those of the training rows, sorted.

    Raises:
        DataError: A cell is missing, or a label unknown.
    """

    column: str
    separator: str
    class_names: Sequence[str] | None = None
    objective: str = MULTI_LABEL

    def __post_init__(self) -> None:
        """Name the column's option."""
        self.options: Mapping[str, Sequence[str]] = {"label_column": [self.column]}

    def learn(self, rows: ImageRows) -> tuple[NDArray[Any], list[str]]:
        """Return which labels each row has, and their names."""
        cells = rows.table[self.column].tolist()
        for row in np.flatnonzero([is_missing(cell) for cell in cells]):
            raise DataError(
                f"{self.column} of {rows.name(row)} is {cells[row]!r}; write the empty text '' "
                "where an image has no label, or drop the row."
            )

        labels = [
            {label.strip() for label in str(cell).split(self.separator)} - {""} for cell in cells
        ]
        names: list[str]
        if self.class_names is None:
            trained = (labels[row] for row in np.flatnonzero(rows.is_training))
            names = sort_class_names(set().union(*trained), float)
        else:
            names = [str(name) for name in self.class_names]
        if not names:
            raise DataError(f"No training image has a label in {self.column}.")

        places = {name: place for place, name in enumerate(names)}
        values = np.zeros((len(labels), len(names)), np.float32)
        for place, of_row in enumerate(labels):
            for label in of_row:
                if label not in places:
                    raise DataError(
                        f"{self.column} of {rows.name(place)} has the label {label!r}, which is "
                        f"none of the training images.{nearest(label, names)}"
                    )
                values[place, places[label]] = 1.0
        return values, names


@dataclass
class TruthColumns:
    """Several labels for each image, each in a column of 0 and 1, or false and true.

    Args:
        columns: Their names, which are those of the labels.

    Raises:
        DataError: A cell is missing, or neither of the two.
    """

    columns: Sequence[str]
    objective: str = MULTI_LABEL

    def __post_init__(self) -> None:
        """Name the columns' option."""
        self.options: Mapping[str, Sequence[str]] = {"label_columns": self.columns}

    def learn(self, rows: ImageRows) -> tuple[NDArray[Any], list[str]]:
        """Return which labels each row has, and their names."""
        values = np.zeros((len(rows.table), len(self.columns)), np.float32)
        for place, column in enumerate(self.columns):
            texts = category_texts(rows.table[column]).tolist()
            found = [TRUTH.get(str(text).strip().lower(), -1) for text in texts]
            for row in np.flatnonzero(np.equal(found, -1)):
                raise DataError(
                    f"{column} of {rows.name(row)} is {rows.table[column].iloc[row]!r}; columns of "
                    "labels hold 0 and 1. For numbers pass objective='regression', for names of "
                    "classes label_column=."
                )
            values[:, place] = found
        return values, list(self.columns)


@dataclass
class NumberColumns:
    """Numbers for each image, in one column or several.

    Labels are float32 of shape (rows, columns), or float64 where float32 would make different
    training numbers equal.

    Args:
        columns: Their names.
        option: That names them.

    Raises:
        DataError: A cell is missing, or no finite number.
    """

    columns: Sequence[str]
    option: str = "label_columns"
    objective: str = REGRESSION

    def __post_init__(self) -> None:
        """Name the columns' option."""
        self.options: Mapping[str, Sequence[str]] = {self.option: self.columns}

    def learn(self, rows: ImageRows) -> tuple[NDArray[Any], list[str]]:
        """Return the numbers of each row, and their names."""
        values = np.empty((len(rows.table), len(self.columns)))
        for place, column in enumerate(self.columns):
            values[:, place], _ = NumberFormat().read(rows.table[column])
            for row in np.flatnonzero(~np.isfinite(values[:, place])):
                raise DataError(
                    f"{column} of {rows.name(row)} is {rows.table[column].iloc[row]!r}; give a "
                    "finite number, or drop the row."
                )
        return with_precision(values, values[rows.is_training]), list(self.columns)


def refuse_empty(rows: ImageRows, column: str, remedy: str) -> None:
    """Refuse a column of text in which cells are missing or empty.

    Raises:
        DataError: Names the first row.
    """
    cells = rows.table[column].tolist()
    empty = [
        row
        for row, cell in enumerate(cells)
        if is_missing(cell) or (isinstance(cell, str) and not cell.strip())
    ]
    if empty:
        raise DataError(
            f"{column} of {rows.name(empty[0])} is missing, and {len(empty)} of {len(cells)} are: "
            f"{remedy}."
        )
