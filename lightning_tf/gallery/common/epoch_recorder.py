"""EpochRecorder: the course of metrics, an entry for each epoch."""

from typing import Any

from lightning_tf import Callback, Trainer


class EpochRecorder(Callback):
    """Keeps metrics after every epoch.

    Args:
        *names: Of the metrics; those that are not measured are left out.

    Attributes:
        by_name: Lists.
    """

    logs_metrics = False

    def __init__(self, *names: str) -> None:
        self.names = names
        self.by_name: dict[str, list[float]] = {}

    def on_train_epoch_end(self, trainer: Trainer, task: Any) -> None:
        """Keep them."""
        for name in self.names:
            if name in trainer.callback_metrics:
                self.by_name.setdefault(name, []).append(trainer.callback_metrics[name])
