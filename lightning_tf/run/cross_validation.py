"""CrossValidation: what the runs of a cross-validation have measured."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lightning_tf.html_table import html_table


@dataclass
class CrossValidation:
    """The values of every fold, and their mean and spread.

    Attributes:
        folds: What each fold's validation measured, by name.
        folder: Where the runs stand, and ``cross_validation.csv``.

    Example:
        >>> result = CrossValidation([{"val_loss": 1.0}, {"val_loss": 3.0}], Path("."))
        >>> result.mean["val_loss"], round(result.std["val_loss"], 3)
        (2.0, 1.414)
    """

    folds: list[dict[str, float]]
    folder: Path = field(default_factory=Path)

    @property
    def names(self) -> list[str]:
        """The names that every fold has measured."""
        return [name for name in self.folds[0] if all(name in fold for fold in self.folds)]

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the folds, by name."""
        return {name: float(np.mean(values)) for name, values in self._columns().items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation over the folds, as of a sample (divided by folds - 1)."""
        return {name: float(np.std(values, ddof=1)) for name, values in self._columns().items()}

    def __str__(self) -> str:
        """Say all of it as a table."""
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        return html_table(head, rows)

    def save(self) -> Path:
        """Write ``cross_validation.csv`` into the folder: a row for each fold, mean and spread."""
        path = self.folder / "cross_validation.csv"
        rows = {str(index): values for index, values in enumerate(self.folds)}
        rows |= {"mean": self.mean, "std": self.std}
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["fold", *self.names])
            for fold, values in rows.items():
                writer.writerow([fold, *(repr(values[name]) for name in self.names)])
        return path

    def _rows(self) -> list[list[str]]:
        rows = [["fold", *self.names]]
        rows += [[str(i), *self._texts(fold)] for i, fold in enumerate(self.folds)]
        return [*rows, ["mean", *self._texts(self.mean)], ["std", *self._texts(self.std)]]

    def _columns(self) -> dict[str, list[float]]:
        return {name: [fold[name] for fold in self.folds] for name in self.names}

    def _texts(self, values: dict[str, float]) -> list[str]:
        return [f"{values[name]:.4f}" for name in self.names]
