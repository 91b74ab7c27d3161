"""StopConditions: when a fit is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class StopConditions:
    """The limits of a fit, and the minimums before which a stop request is dropped.

    Args:
        trainer: Gives max_epochs, max_steps, max_time, min_epochs, min_steps and the request.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def out_of_limits(self) -> bool:
        """Return whether max_steps or max_time is reached, which ends an epoch early."""
        trainer, progress = self.trainer, self.trainer.progress
        if trainer.max_steps is not None and progress.global_step >= trainer.max_steps:
            return True
        out_of_time = trainer.max_seconds is not None and progress.seconds >= trainer.max_seconds
        return out_of_time and self.minimums_met()

    def finished(self) -> bool:
        """Return whether no further epoch may begin."""
        trainer = self.trainer
        past = trainer.max_epochs is not None and trainer.current_epoch >= trainer.max_epochs
        return past or self.out_of_limits()

    def minimums_met(self, epoch_ends: bool = False) -> bool:
        """Return whether min_epochs and min_steps allow a stop.

        Args:
            epoch_ends: Whether the current epoch counts as complete.
        """
        trainer = self.trainer
        epochs = trainer.current_epoch + (1 if epoch_ends else 0)
        steps = trainer.global_step
        return epochs >= (trainer.min_epochs or 0) and steps >= (trainer.min_steps or 0)

    def is_granted(self, epoch_ends: bool = False) -> bool:
        """Return whether somebody asked for a stop that the minimums allow."""
        return bool(self.trainer.stop_reason) and self.minimums_met(epoch_ends)

    def drop_early_request(self, epoch_ends: bool = False) -> None:
        """Drop a request that comes before the minimums are met; it has to be made again."""
        reason = self.trainer.stop_reason
        if reason and not self.minimums_met(epoch_ends):
            log.info("a stop request before min_epochs and min_steps is dropped: %s", reason)
            self.trainer.status.withdraw_stop()
