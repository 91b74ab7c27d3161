"""StageReport: base of the callbacks that show what a task has learnt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.callback import Callback
from lightning_tf.trainer import Trainer


class StageReport(Callback):
    """Reports on the validation split when training ends, and on the test split after every test.

    Without a logger there is nobody to report to, and nothing is computed.
    """

    logs_metrics = False

    def on_fit_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the validation split, unless there is none."""
        if trainer.loggers and trainer.num_val_batches != 0:
            self.report(trainer, task, "val")

    def on_test_end(self, trainer: Trainer, task: Any) -> None:
        """Report on the test split."""
        if trainer.loggers:
            self.report(trainer, task, "test")

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the report of a stage; a subclass writes it.

        Args:
            trainer: Whose loggers get it.
            task: What is reported on.
            stage: val or test, also how the report's names begin.
        """
        raise NotImplementedError(f"{type(self).__name__} has no report; write one.")


def spread_evenly(length: int, count: int) -> NDArray[np.int64]:
    """Return at most `count` places of `length`, evenly spread, both ends among them.

    Data may be in the order of their classes or targets: the first places would all be alike.

    Example:
        >>> spread_evenly(9, 3).tolist()
        [0, 4, 8]
    """
    places: NDArray[np.int64] = np.linspace(0, length - 1, min(count, length)).round().astype(int)
    return np.unique(places)
