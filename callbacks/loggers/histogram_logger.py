"""HistogramLogger: base class of loggers that get histograms of what trains."""

import logging

from lightning_tf.callbacks.loggers.histograms import Histogram, Histograms
from lightning_tf.logger import Logger
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class HistogramLogger(Logger):
    """Adds a `Histograms` to the compiled step, wakes when it is due, and logs what it counts.

    A subclass that overrides one of these hooks must call it.

    Attributes:
        histograms: What to count, and how often; None for nothing.

    With ``activations`` the share of ReLUs that were 0 for a whole batch goes to `log_metrics`, as
    ``dead_units/<name>``.

    Example:
        >>> class Norms(HistogramLogger):
        ...     histograms = Histograms("gradients", every_n_steps=100)
        ...
        ...     def log_histograms(self, histograms, step):
        ...         print(step, sorted(histograms))
    """

    histograms: Histograms | None = None
    _enabled = True

    def log_histograms(self, histograms: dict[str, Histogram], step: int) -> None:
        """Take histograms: n counts, n + 1 edges.

        Args:
            histograms: By ``gradients/<name>``, ``weights/<name>`` or ``activations/<name>``.
            step: The `global_step`.
        """

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Add the counting to the step, before it is traced."""
        if self.histograms is not None and self._enabled and trainer.training is not None:
            self.histograms.attach(task, trainer.training.optimizers)

    def next_step(self, trainer: Trainer) -> int | None:
        """Return the next update before or after which windows must end, to count its gradients."""
        if self.histograms is None or not self._enabled:
            return None
        return self.histograms.next_step(trainer.global_step)

    def on_train_start(self, trainer: Trainer, task: Task) -> None:
        """Count the first update if it is due."""
        if self.histograms is None or not self._enabled:
            return
        updates, every = trainer.estimated_stepping_batches, self.histograms.every_n_steps
        if updates < every:
            log.info(
                "%s: histograms every %d updates, and this fit has %d: none is written. Give a "
                "smaller every_n_steps.",
                type(self).__name__,
                every,
                updates,
            )
        self.histograms.begin(trainer)

    def on_train_window_end(self, trainer: Trainer, task: Task) -> None:
        """Log the histograms that are due."""
        if self.histograms is None or not self._enabled:
            return
        histograms = self.histograms.read_due(trainer)
        if histograms:
            self.log_histograms(histograms, trainer.global_step)
            dead_units = self.histograms.dead_units()
            if dead_units:
                self.log_metrics(dead_units, trainer.global_step)

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Detach from the optimizers."""
        if self.histograms is not None:
            self.histograms.detach()

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Detach from the optimizers."""
        if self.histograms is not None:
            self.histograms.detach()
