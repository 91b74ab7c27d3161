"""Records: what a run has measured so far, and the loggers that are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lightning_tf.logger import Logger, LoggerGroup

if TYPE_CHECKING:
    from lightning_tf.progress import Progress

STAGE_PREFIXES = {"val_": "val/", "test_": "test/"}


class Records:
    """The latest value of every metric, when it was measured, and rows for the loggers.

    Users see Keras' names (``val_loss``); loggers get ``val/loss``, and ``epoch`` in every row.

    Args:
        loggers: All that get rows.
        progress: Gives the step and the epoch of a row.
    """

    def __init__(self, loggers: Sequence[Logger], progress: Callable[[], Progress]) -> None:
        self.loggers = LoggerGroup(loggers)
        self.latest: dict[str, float] = {}
        self.steps: dict[str, int] = {}
        self._progress = progress

    def remember(self, values: dict[str, float]) -> None:
        """Make values the latest ones, without a row."""
        self.latest.update(values)
        self.steps.update(dict.fromkeys(values, self._progress().global_step))

    def row(self, values: dict[str, float]) -> None:
        """Send a row under the loggers' names."""
        if values:
            progress = self._progress()
            row = {_logger_name(name): value for name, value in values.items()}
            self.loggers.send("log_metrics", {**row, "epoch": progress.epoch}, progress.global_step)

    def send(self, method: str, name: str, *args: Any, **kwargs: Any) -> None:
        """Send a picture, a table, a figure or a file, with the step."""
        self.loggers.send(method, name, *args, step=self._progress().global_step, **kwargs)


def _logger_name(name: str) -> str:
    if "/" in name:
        return name
    for prefix, folder in STAGE_PREFIXES.items():
        if name.startswith(prefix):
            return folder + name[len(prefix) :]
    return f"train/{name}"
