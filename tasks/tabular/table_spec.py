"""TableSpec: what a task on tables must know of its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lightning_tf.data.tables.feature_columns import FeatureColumns


@dataclass(frozen=True)
class TableSpec:
    """The columns of a table, and what is learnt from them.

    Attributes:
        numbers: Names of the numeric columns.
        categories: For each categorical column its categories.
        targets: Names of the columns to learn.
        class_names: Of a classification; none of a regression.
        reading: The further arguments of `FeatureColumns`; none in checkpoints of before they were.
        precise_targets: Whether targets are float64.
    """

    numbers: list[str]
    categories: dict[str, list[str]]
    targets: list[str]
    class_names: list[str]
    reading: dict[str, Any] = field(default_factory=dict)
    precise_targets: bool = False

    @classmethod
    def of(cls, data: Any) -> TableSpec:
        """Return the spec of a `FeatureTable` that is set up."""
        config = data.columns.config()
        return cls(
            config.pop("numbers"),
            config.pop("categories"),
            list(data.targets),
            list(data.class_names),
            config,
            data.precise_targets,
        )

    def columns(self) -> FeatureColumns:
        """Return the columns."""
        config = {"numbers": self.numbers, "categories": self.categories, **self.reading}
        return FeatureColumns.from_config(config)
