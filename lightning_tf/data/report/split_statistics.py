"""SplitStatistics: what is seen of one split of the data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.report.array_statistics import ArrayStatistics, named_arrays

DIGEST = 16  # bytes an example: two different ones share no digest
SHOWN_CLASSES = 12


class SplitStatistics:
    """Counts, types, ranges, classes and repeated examples of a split.

    Args:
        dataset: Its batches: inputs, or a tuple of inputs and targets.
        class_names: Of integer targets, where they are classes.
        most: Examples to look at.
        columns: Names of columns, as of `named_arrays`.

    Attributes:
        examples: How many were looked at.
        batches: How many there were.
        is_cut: Whether there are more.
        inputs: Statistics by name.
        targets: Statistics by name.
        classes: How often each class comes, by number; empty where targets are no classes.
        digests: Of the inputs of each example, how often they come.
        first: The first batch.

    Example:
        >>> batches = tf.data.Dataset.from_tensor_slices([[1.0], [1.0]]).batch(2)
        >>> SplitStatistics(batches).repeated
        1
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        class_names: Sequence[str] = (),
        most: int = 100_000,
        columns: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.class_names, self._columns = list(class_names), columns
        self.examples = self.batches = 0
        self.is_cut = False
        self.inputs: dict[str, ArrayStatistics] = {}
        self.targets: dict[str, ArrayStatistics] = {}
        self.classes: Counter[int] = Counter()
        self.digests: Counter[bytes] = Counter()
        self.first: Any = None

        for batch in dataset.as_numpy_iterator():
            if self.examples >= most:
                self.is_cut = True
                break
            self._add(batch)

    @property
    def repeated(self) -> int:
        """Return how many examples have the inputs of one before."""
        return sum(count - 1 for count in self.digests.values())

    def also_in(self, *others: SplitStatistics) -> int:
        """Return how many examples have inputs that another of these splits has too."""
        elsewhere = set().union(*(other.digests for other in others))
        return sum(count for digest, count in self.digests.items() if digest in elsewhere)

    def lines(self) -> list[str]:
        """Return what was seen, one thing a line."""
        more = "at least " if self.is_cut else ""
        lines = [
            f"{more}{self.examples} examples in {self.batches} batch{'es' * (self.batches != 1)}"
        ]
        lines += [
            f"{name}: {statistics}" for name, statistics in {**self.inputs, **self.targets}.items()
        ]
        if self.classes:
            lines.append(self._balance())
        if self.repeated:
            lines.append(f"{self.repeated} examples repeat the input of one before")
        return lines

    def _add(self, batch: Any) -> None:
        inputs, targets = (batch[0], batch[1:]) if isinstance(batch, tuple) else (batch, ())
        arrays = dict(named_arrays(inputs, "input", self._columns))
        count = len(next(iter(arrays.values())))
        if self.first is None:
            self.first = batch
        self.examples, self.batches = self.examples + count, self.batches + 1

        target = targets[0] if len(targets) == 1 else (targets or None)
        named = dict(named_arrays(target, "target", self._columns))
        for statistics, of_batch in ((self.inputs, arrays), (self.targets, named)):
            for name, array in of_batch.items():
                statistics.setdefault(name, ArrayStatistics()).add(array)
        self._count_classes(target)

        for place in range(count):
            digest = hashlib.blake2b(digest_size=DIGEST)
            for array in arrays.values():
                cell: Any = array[place]
                digest.update(cell if isinstance(cell, bytes) else cell.tobytes())
            self.digests[digest.digest()] += 1

    def _count_classes(self, target: Any) -> None:
        if not self.class_names or not isinstance(target, np.ndarray):
            return
        if target.dtype.kind in "iu" and (target.ndim == 1 or target.shape[1:] == (1,)):
            self.classes.update(target.ravel().tolist())

    def _balance(self) -> str:
        names = dict(enumerate(self.class_names))
        counts = [f"{names.get(c, c)} {n}" for c, n in self.classes.most_common(SHOWN_CLASSES)]
        counts += [f"{len(self.classes) - SHOWN_CLASSES} more"] * (
            len(self.classes) > SHOWN_CLASSES
        )
        missing = [name for number, name in names.items() if number not in self.classes]
        none = f"; none of {', '.join(missing[:SHOWN_CLASSES])}" if missing else ""
        return f"{len(self.classes)} classes: {', '.join(counts)}{none}"
