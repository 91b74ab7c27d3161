"""BestValues: the best value of every metric so far, and the update of each."""

import math
from collections.abc import Iterable
from typing import Any

from lightning_tf.stage import row_name

LOWER = ("loss", "error", "perplexity", "distance")
HIGHER = ("accuracy", "precision", "recall", "auc", "f1", "score", "iou", "psnr", "ssim", "bleu")
STAGES = ("val/", "test/")
HIGHER_FIRST = ("map", "mar")  # mean average precision and recall: map_50, mar_100


class BestValues:
    """Keeps the best value of the metrics whose better direction is known.

    Known are those that a callback monitors, with its mode, and those whose name says it: ``loss``
    is better lower, ``accuracy`` higher.

    Attributes:
        values: By name: the best value, and the update that it was measured at.
        modes: ``min`` or ``max`` by name, where a callback tells it.

    Example:
        >>> best = BestValues()
        >>> best.update({"val/loss": 0.5}, step=100)
        {'val/loss': 0.5}
    """

    def __init__(self) -> None:
        self.values: dict[str, tuple[float, int]] = {}
        self.modes: dict[str, str] = {}

    def learn_modes(self, callbacks: Iterable[Any]) -> None:
        """Take the modes of callbacks: whoever monitors a metric knows what is better."""
        for callback in callbacks:
            monitor, mode = getattr(callback, "monitor", None), getattr(callback, "mode", None)
            if monitor and mode in ("min", "max"):
                self.modes[row_name(monitor)] = mode

    def update_from_row(self, row: dict[str, Any], step: int) -> dict[str, float]:
        """Take a row's values whose best one matters: that of a few training batches is chance."""
        matters = {
            name: value
            for name, value in row.items()
            if name in self.modes or name.startswith(STAGES) or name.endswith("_epoch")
        }
        return self.update(matters, step)

    def update(self, values: dict[str, Any], step: int) -> dict[str, float]:
        """Take new values and return those that are the best so far."""
        better = {}
        for name, value in values.items():
            mode = self.mode(name)
            if not mode or not isinstance(value, (int, float)) or not math.isfinite(value):
                continue

            before = self.values.get(name)
            if before is None or (value < before[0] if mode == "min" else value > before[0]):
                self.values[name] = (float(value), step)
                better[name] = float(value)
        return better

    def mode(self, name: str) -> str:
        """Return ``min``, ``max``, or an empty string where nothing tells."""
        if name in self.modes:
            return self.modes[name]
        # Without the stage: "loss" of "val/loss".
        last = name.rpartition("/")[2]
        for words, mode in ((LOWER, "min"), (HIGHER, "max")):
            if any(word in last for word in words):
                return mode
        return "max" if last.partition("_")[0] in HIGHER_FIRST else ""

    def state_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {name: list(pair) for name, pair in self.values.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the values of `state_dict`."""
        self.values = {name: (float(value), int(step)) for name, (value, step) in state.items()}
