"""TopK: which checkpoints are the best, and which of them must go."""

from __future__ import annotations

import math


class TopK:
    """The k best of the checkpoints seen, by score.

    A score equal to the k-th is not better. NaN is kept where there is room, worse than any number,
    and is never the best.

    Args:
        k: How many to keep; -1 keeps all.
        mode: ``min`` or ``max``.

    Attributes:
        scores: Paths and scores of those that are kept, in the order in which they came.

    Example:
        >>> best = TopK(1, "min")
        >>> best.add("a", 0.5), best.would_keep(0.5), best.add("b", 0.4)
        ([], False, ['a'])
    """

    def __init__(self, k: int, mode: str) -> None:
        self.k = k
        self.sign = 1.0 if mode == "min" else -1.0
        self.scores: dict[str, float] = {}

    def _key(self, path: str) -> float:
        score = self.scores[path]
        return math.inf if math.isnan(score) else self.sign * score

    @property
    def best(self) -> str:
        """The path with the best score, the earlier of two equal ones; empty without any."""
        numbers = [path for path, score in self.scores.items() if not math.isnan(score)]
        return min(numbers, key=self._key, default="")

    @property
    def worst(self) -> str:
        """The path with the worst score, the later of two equal ones; empty without any."""
        return max(reversed(self.scores), key=self._key, default="")

    @property
    def is_full(self) -> bool:
        """Whether another one pushes the worst out."""
        return self.k != -1 and len(self.scores) >= self.k

    def would_keep(self, score: float) -> bool:
        """Whether a checkpoint with this score is worth writing."""
        if self.k == 0:
            return False
        return not self.is_full or self.is_better(score, self.scores[self.worst])

    def is_better(self, score: float, other: float) -> bool:
        """Whether a score beats another; any number beats NaN, and NaN beats nothing."""
        if math.isnan(score):
            return False
        return math.isnan(other) or self.sign * score < self.sign * other

    def add(self, path: str, score: float) -> list[str]:
        """Take a checkpoint; returns the paths that are no longer among the best.

        Args:
            path: One that is known already gets the new score.
            score: What it is ranked by.
        """
        self.scores.pop(path, None)
        dropped = []
        while self.is_full:
            dropped.append(self.worst)
            del self.scores[dropped[-1]]
        self.scores[path] = score
        return dropped
