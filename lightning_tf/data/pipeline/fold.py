"""Fold: one of the parts into which cross-validation cuts the training examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice, checked_integer
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.pipeline.splits import split_indices
from lightning_tf.exceptions import ConfigurationError

CLASSES, GROUPS, TIME = "classes", "groups", "time"


@dataclass(frozen=True)
class Fold:
    """The examples that one run of a cross-validation is validated on; the others train.

    Args:
        index: Which fold, from 0.
        of: How many folds there are.
        by: How examples are dealt out. ``classes``: by seed, each fold with every class in its
            proportion (without regard to classes where there are none). ``groups``: those of a
            group stay together. ``time``: in the order of the data, each fold trains on all that
            comes before the rows that it is validated on. None is ``groups`` where these are given,
            ``time`` of series and else ``classes``.
        groups: The group of each training example, in their order; or, of tables, a column.
        seed: Decides who goes where; the same in every fold of a cross-validation.

    Raises:
        ConfigurationError: A number is out of range, or `by` does not go with `groups`.

    Example:
        >>> train, val = Fold(0, 5).cut(10)
        >>> len(train), len(val)
        (8, 2)
    """

    index: int
    of: int
    by: str | None = None
    groups: Any = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the arguments."""
        checked_integer("folds", self.of, least=2)
        checked_choice("by", self.by, (None, CLASSES, GROUPS, TIME))
        if (self.by == GROUPS) != (self.groups is not None) and self.by is not None:
            raise ConfigurationError(
                f"by={self.by!r} with groups={'None' if self.groups is None else '...'}: groups= "
                "is for by='groups', which needs it."
            )

    @property
    def column(self) -> str | None:
        """The column of a table that holds the groups; None where they are given themselves."""
        return self.groups if isinstance(self.groups, str) else None

    def cut(
        self,
        count: int,
        labels: NDArray[Any] | None = None,
        groups: NDArray[Any] | None = None,
    ) -> tuple[Indices, Indices]:
        """Return which examples train and which validate, as sorted places.

        Args:
            count: How many examples there are.
            labels: The class of each, or None.
            groups: The group of each, where they stay together.

        Raises:
            ConfigurationError: There are fewer examples or groups than folds.
        """
        if self.by == TIME:
            return self._by_time(count)
        number = self._by_groups(groups) if groups is not None else self._dealt(count, labels)
        return np.flatnonzero(number != self.index), np.flatnonzero(number == self.index)

    def edges(self, lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where validation begins and ends in each of several series.

        The first of ``of + 1`` equal parts only trains.
        """
        parts = self.of + 1
        begin, end = (lengths * part // parts for part in (self.index + 1, self.index + 2))
        return begin, end

    def _by_time(self, count: int) -> tuple[Indices, Indices]:
        self._refuse_few(count, self.of + 1, "examples")
        (begin,), (end,) = self.edges(np.array([count]))
        return np.arange(begin, dtype=np.int64), np.arange(begin, end, dtype=np.int64)

    def _dealt(self, count: int, labels: NDArray[Any] | None) -> NDArray[np.int64]:
        self._refuse_few(count, self.of, "examples")
        pieces = split_indices(count, [1 / self.of] * (self.of - 1), self.seed, labels)
        number = np.empty(count, np.int64)
        for index, piece in enumerate(pieces):
            number[piece] = index
        return number

    def _by_groups(self, groups: NDArray[Any]) -> NDArray[np.int64]:
        """Return the fold of each example: the largest groups first, each to the emptiest fold."""
        _, places, sizes = np.unique(
            np.asarray(groups).astype(str), return_inverse=True, return_counts=True
        )
        self._refuse_few(len(sizes), self.of, "groups")

        number, filled = np.empty(len(sizes), np.int64), np.zeros(self.of, np.int64)
        for group in np.argsort(-sizes, kind="stable"):
            number[group] = filled.argmin()
            filled[number[group]] += sizes[group]
        return np.asarray(number[places.reshape(-1)])

    def _refuse_few(self, count: int, needed: int, what: str) -> None:
        if count < needed:
            raise ConfigurationError(
                f"folds={self.of} needs {needed} {what} or more, and there are {count}."
            )
