"""TopK: which checkpoints are the best, and which of them must go."""

from __future__ import annotations

import math


class TopK:
    """The k best of the checkpoints seen, by score.

    A score equal to the k-th is not better, and NaN never is.

    Args:
        k: How many to keep; -1 keeps all.
        mode: ``min`` or ``max``.

    Example:
        >>> best = TopK(1, "min")
        >>> best.add("a", 0.5), best.would_keep(0.5), best.add("b", 0.4)
        ([], False, ['a'])
    """

    def __init__(self, k: int, mode: str) -> None:
        self.k = k
        self.sign = 1.0 if mode == "min" else -1.0
        self.scores: dict[str, float] = {}

    def _key(self, score: float) -> float:
        return math.inf if math.isnan(score) else self.sign * score

    @property
    def best(self) -> str:
        """The path with the best score, the earlier of two equal ones; empty without any."""
        return min(self.scores, key=lambda path: self._key(self.scores[path]), default="")

    @property
    def worst(self) -> str:
        """The path with the worst score, the later of two equal ones; empty without any."""
        return max(reversed(self.scores), key=lambda path: self._key(self.scores[path]), default="")

    def would_keep(self, score: float) -> bool:
        """Whether a checkpoint with this score is worth writing."""
        if self.k == -1 or len(self.scores) < self.k:
            return self.k != 0
        return self._key(score) < self._key(self.scores[self.worst]) if self.k else False

    def add(self, path: str, score: float) -> list[str]:
        """Take a written checkpoint; returns the paths that are no longer among the best."""
        self.scores.pop(path, None)
        self.scores[path] = score
        dropped = []
        while self.k != -1 and len(self.scores) > self.k:
            dropped.append(self.worst)
            del self.scores[dropped[-1]]
        return dropped
