"""HistogramLogger: a logger that is given histograms of what trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tf.callbacks.loggers.histograms import Counted, Histograms
from lightning_tf.logger import Logger

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer


class HistogramLogger(Logger):
    """Has a `Histograms` enter the step, wakes when it is time, and hands on what it counts.

    A subclass that overrides one of these hooks calls it here, too.

    Attributes:
        histogram_watch: What is counted, and how often; None for nothing.

    Example:
        >>> class Norms(HistogramLogger):
        ...     histogram_watch = Histograms("gradients", every_n_steps=100)
        ...
        ...     def log_histograms(self, counted, step):
        ...         print(step, sorted(counted))
    """

    histogram_watch: Histograms | None = None
    _enabled = True

    def log_histograms(self, counted: dict[str, Counted], step: int) -> None:
        """Take histograms, ``gradients/<name>`` and ``weights/<name>``: n counts, n + 1 edges."""

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Enter the step, before it is traced."""
        if self.histogram_watch is not None and self._enabled and trainer.training is not None:
            self.histogram_watch.attach(task, trainer.training.optimizers)

    def next_step(self, trainer: Trainer) -> int | None:
        """Awake before and after an update whose gradients are counted."""
        if self.histogram_watch is None or not self._enabled:
            return None
        return self.histogram_watch.next_step(trainer.global_step)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Count the first update where every one is counted."""
        if self.histogram_watch is not None and self._enabled:
            self.histogram_watch.begin(trainer)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Hand on what is due."""
        if self.histogram_watch is None or not self._enabled:
            return
        found = self.histogram_watch.taken(trainer)
        if found:
            self.log_histograms(found, trainer.global_step)

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Leave the optimizers."""
        if self.histogram_watch is not None:
            self.histogram_watch.detach()

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Leave the optimizers."""
        if self.histogram_watch is not None:
            self.histogram_watch.detach()
