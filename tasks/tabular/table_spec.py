"""TableSpec: what a task on tables must know of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TableSpec:
    """The columns of a table, and what is learnt from them.

    Attributes:
        numbers: Names of the numeric columns.
        categories: For each categorical column its categories.
        targets: Names of the columns to learn.
        class_names: Of a classification; none of a regression.
    """

    numbers: list[str]
    categories: dict[str, list[str]]
    targets: list[str]
    class_names: list[str]

    @classmethod
    def of(cls, data: Any) -> TableSpec:
        """Return the spec of a `FeatureTable` that is set up."""
        columns = data.columns
        return cls(columns.numbers, columns.categories, list(data.targets), list(data.class_names))
