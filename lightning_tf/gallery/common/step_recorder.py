"""StepRecorder: what a task makes, every few updates."""

from collections.abc import Callable
from typing import Any

from lightning_tf import Callback, Trainer


class StepRecorder(Callback):
    """Keeps what a function returns of the task.

    Args:
        take: From a task to what is kept.
        every_n_steps: Updates between.
        from_start: Whether the beginning is kept too.

    Attributes:
        by_step: By the number of updates.
    """

    logs_metrics = False

    def __init__(
        self, take: Callable[[Any], Any], every_n_steps: int, from_start: bool = False
    ) -> None:
        self.take, self.every_n_steps, self.from_start = take, every_n_steps, from_start
        self.by_step: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, task: Any) -> None:
        """Keep the beginning, where it is asked for."""
        if self.from_start:
            self.by_step[0] = self.take(task)

    def on_train_window_end(self, trainer: Trainer, task: Any) -> None:
        """Keep what there is now, where it is due."""
        if self.is_due(trainer):
            self.by_step[trainer.global_step] = self.take(task)
