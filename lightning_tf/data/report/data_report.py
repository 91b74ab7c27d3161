"""DataReport: what was read of data and how it was understood, before any training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning_tf.checks import checked_integer, checked_path
from lightning_tf.data.data_module import DataModule
from lightning_tf.data.report.example_figure import example_figure
from lightning_tf.data.report.split_statistics import SplitStatistics
from lightning_tf.exceptions import DataError
from lightning_tf.save_figure import save_figure
from lightning_tf.storage.remote_files import stored

STAGES = ("train", "val", "test", "predict")


class DataReport:
    """Sizes, types, ranges, classes and their balance, missing values and repeated examples.

    Every split is read once, as training would read it, up to `max_examples`.

    Args:
        data: To look at.
        max_examples: Of each split.

    Attributes:
        splits: Statistics by split; of several data sets by names such as ``val_clean``.
        leaked: For each split but train, how many of its inputs stand in train too.

    Raises:
        DataError: The data have no split.

    Example:
        >>> from lightning_tf.data import ArrayData
        >>> report = DataReport(ArrayData(np.zeros((9, 2), np.float32), np.arange(9) % 3))
        >>> "float32 (2,), 0 to 0" in str(report)
        True
    """

    def __init__(self, data: DataModule, max_examples: int = 100_000) -> None:
        most = checked_integer("max_examples", max_examples, least=1)
        data.prepare_data()
        data.setup("fit")
        self.name = type(data).__name__
        self.summary: str | None = getattr(data, "summary", None)
        self.class_names = list(getattr(data, "class_names", None) or ())

        self._columns = getattr(data, "column_names", None)

        self.splits: dict[str, SplitStatistics] = {}
        for stage in STAGES:
            if stage == "predict" and self.splits:
                continue
            for name, dataset in data.sets_for(stage).items():
                self.splits[stage if name is None else f"{stage}_{name}"] = SplitStatistics(
                    dataset, self.class_names, most, self._columns
                )
        if not self.splits:
            raise DataError(f"{self.name} has no data to look at; return batches from its methods.")

        train = {n: split for n, split in self.splits.items() if n.partition("_")[0] == "train"}
        others = [name for name in self.splits if name not in train]
        self.leaked = {n: self.splits[n].also_in(*train.values()) for n in others} if train else {}

    def figure(self) -> Any:
        """Draw some examples, as a matplotlib Figure that belongs to no window."""
        first = next(iter(self.splits.values())).first
        return example_figure(first, self.class_names, self._columns)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``report.txt`` and ``examples.png``.

        Args:
            folder: Made where it is not there.

        Returns:
            The files.
        """
        where = Path(checked_path("folder", folder))
        where.mkdir(parents=True, exist_ok=True)
        text, figure = where / "report.txt", where / "examples.png"
        text.write_text(f"{self}\n", encoding="utf-8")
        save_figure(self.figure(), figure, dpi=100)
        stored(where)
        return [text, figure]

    def __str__(self) -> str:
        """Return the report as text."""
        lines = [self.summary or self.name]
        for name, statistics in self.splits.items():
            lines += ["", name, *(f"  {line}" for line in statistics.lines())]
            if self.leaked.get(name):
                lines.append(f"  {self.leaked[name]} examples have an input that train has too")
        return "\n".join(lines)
