"""StopConditions: when a fit is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class StopConditions:
    """The limits of a fit, and the minimums until which a stop request waits.

    Args:
        trainer: Gives max_epochs, max_steps, max_time, min_epochs, min_steps and the request.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._has_told = False

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

    @property
    def next_step(self) -> int | None:
        """The update after which a stop that waits for min_steps is granted; None without one.

        A window must end there: where a request takes effect may not depend on their lengths.
        """
        trainer = self.trainer
        if not trainer.stop_reason or trainer.global_step >= (trainer.min_steps or 0):
            return None
        return trainer.min_steps

    @property
    def waiting(self) -> list[str]:
        """The requests that the minimums do not allow yet, which a resumed run must know."""
        met = self.minimums_met(epoch_ends=self.trainer.progress.epoch_closed)
        return [] if met else list(self.trainer.status.stop_requests)

    def tell_waiting(self, epoch_ends: bool = False) -> None:
        """Say, once a fit, that a request waits."""
        trainer = self.trainer
        if self._has_told or not trainer.stop_reason or self.minimums_met(epoch_ends):
            return
        self._has_told = True
        log.info(
            "a stop waits for min_epochs=%s and min_steps=%s: %s",
            trainer.min_epochs,
            trainer.min_steps,
            trainer.stop_reason,
        )
