"""Agreement: what all workers do next, wherever a clock, a signal or a callback has a say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer

STOP = "another worker asked for it"


def agreed(trainer: Trainer, count: int = 1, seconds: float = 0.0) -> tuple[int, float]:
    """Bring the workers together before a window: one small sum, and nothing on one worker.

    Clocks, signals and callbacks may differ between workers; those that ran different windows
    would wait for each other for ever. The smallest count is taken and the longest time; a signal
    or a stop request of one is one of all.

    Args:
        trainer: Whose `stop_reason` and signals follow what is agreed.
        count: Batches that this worker would run.
        seconds: How long this worker has trained.

    Returns:
        How many batches all run, and how long they have trained.

    Raises:
        TerminationRequested: A worker was asked to end.
    """
    workers, signals = trainer.workers, trainer.signals
    if workers.count == 1:
        return count, seconds

    asks = any(reason != STOP for reason in trainer.status.stop_requests)
    wishes = [count, signals.received, round(1000.0 * seconds), asks]
    counts, received, milliseconds, stops = workers.all_gather(wishes).T  # (workers,) each

    # Signals before stops: a run that was told to end has no use for a reason to stop.
    if received.any():
        signals.receive(int(received.max()))
        trainer.status.end_together()
    signals.check()

    # Anew each time: whoever asked may have taken the request back.
    trainer.status.withdraw_stop(STOP)
    if stops.any() and not trainer.stop_reason:
        trainer.status.request_stop(STOP)
    return int(counts.min()), float(milliseconds.max()) / 1000.0


def check_signals(trainer: Trainer) -> None:
    """On one worker, raise where it was asked to end; several look together, in `agreed`."""
    if trainer.workers.count == 1:
        trainer.signals.check()
