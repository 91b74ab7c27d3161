"""ImageRows: the rows of the tables of all splits, and what messages call them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageRows:
    """One row for each image, the tables of the splits one after the other.

    Attributes:
        table: A DataFrame whose index numbers the rows of each table from 0.
        owners: The split of each row, shape (rows,).
        files: The name of the table that each row stands in, shape (rows,).

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"filename": ["a.png"]})
        >>> ImageRows(table, np.array(["train"]), np.array(["labels.csv"])).name(0)
        'row 0 of labels.csv'
    """

    table: Any
    owners: NDArray[np.str_]
    files: NDArray[np.str_]

    @property
    def is_training(self) -> NDArray[np.bool_]:
        """Return which rows are of the training split."""
        return np.asarray(self.owners == "train")

    def name(self, place: int | np.integer) -> str:
        """Return what a message calls a row."""
        return f"row {self.table.index[place]} of {self.files[place]}"

    def kept(self, rows: NDArray[Any]) -> "ImageRows":
        """Return these rows alone."""
        return ImageRows(self.table.iloc[rows], self.owners[rows], self.files[rows])
