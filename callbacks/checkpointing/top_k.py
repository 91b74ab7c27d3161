"""TopK: which checkpoints are the best, and which of them are dropped."""

import math


class TopK:
    """Ranks checkpoints by score and remembers the k best.

    A score equal to the k-th is not better. NaN is kept while there is room; it is worse than any
    number, and never the best.

    Args:
        k: How many to keep; -1 keeps all.
        mode: ``min`` or ``max``.

    Attributes:
        scores: Scores of the best checkpoints by path, in the order in which they were added.

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
        """Return the path with the best score, the earlier of two equal ones; empty without any."""
        numbers = [path for path, score in self.scores.items() if not math.isnan(score)]
        return min(numbers, key=self._key, default="")

    @property
    def worst(self) -> str:
        """Return the path with the worst score, the later of two equal ones; empty without any."""
        # Python's max returns the first of several equal ones, hence reversed.
        return max(reversed(self.scores), key=self._key, default="")

    @property
    def is_full(self) -> bool:
        """Return whether adding a checkpoint drops the worst."""
        return self.k != -1 and len(self.scores) >= self.k

    def would_keep(self, score: float) -> bool:
        """Return whether a checkpoint with this score is worth writing."""
        if self.k == 0:
            return False
        return not self.is_full or self.is_better(score, self.scores[self.worst])

    def is_better(self, score: float, other: float) -> bool:
        """Return whether a score beats another; any number beats NaN, and NaN beats nothing."""
        if math.isnan(score):
            return False
        return math.isnan(other) or self.sign * score < self.sign * other

    def add(self, path: str, score: float) -> list[str]:
        """Add a checkpoint and return the paths that are no longer among the best.

        Args:
            path: The checkpoint; a path that is known already gets the new score.
            score: Ranks it.
        """
        self.scores.pop(path, None)  # known already: it is ranked anew, as the newest

        dropped = []
        while self.is_full:
            dropped.append(self.worst)
            del self.scores[dropped[-1]]
        self.scores[path] = score
        return dropped
