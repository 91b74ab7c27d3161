"""IteratorPosition: the state of training's iterator, for checkpoints inside an epoch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import tensorflow as tf

from lightning_tf.checks import checked_choice
from lightning_tf.loops.epoch_iterator import EpochIterator
from lightning_tf.loops.iterator_state import iterator_state, restore_iterator

if TYPE_CHECKING:
    from lightning_tf.data.data_module import DataModule
    from lightning_tf.run.progress import Progress

log = logging.getLogger("lightning_tf")

SKIP, ITERATOR = "skip", "iterator"


class IteratorPosition:
    """Takes and gives back the state of tf.data's iterator, where the data ask for it.

    Args:
        data: Whose `resume_by` says whether.

    Attributes:
        keeps: Whether the data ask for it.

    Raises:
        ConfigurationError: They ask for something else.
    """

    def __init__(self, data: DataModule) -> None:
        resume_by = checked_choice(
            f"{type(data).__name__}.resume_by", data.resume_by, (SKIP, ITERATOR)
        )
        self.keeps = resume_by == ITERATOR
        self._fails = False
        self._epoch: EpochIterator | None = None
        self._known: tuple[tuple[int, int], str] | None = None  # (epoch, batch) and the state there

    def follow(self, epoch: EpochIterator) -> EpochIterator:
        """Take the state from this iterator from now on; return it."""
        self._epoch = epoch
        return epoch

    def state(self, progress: Progress) -> str | None:
        """Return the state before the next batch; None where none is kept."""
        if not self.keeps or self._fails:
            return None
        at = (progress.epoch, progress.batch)
        if self._known is not None and self._known[0] == at:
            return self._known[1]
        if self._epoch is None or not self._epoch.is_open:
            return None

        try:
            self._known = at, iterator_state(self._epoch.iterator)
        except (tf.errors.OpError, ValueError, OSError) as error:  # of workers one alone, too
            self._fails = True
            log.warning(
                "resume_by='iterator': TensorFlow cannot keep the state of this pipeline (%s); a "
                "resumed run reads the batches before its place again, and drops them.",
                str(error).partition("\n")[0],
            )
            return None
        return self._known[1]

    def take(self, epoch: int, batch: int, state: str) -> None:
        """Go on from a state of a checkpoint."""
        self._known = (epoch, batch), state

    def resumed(self, dataset: tf.data.Dataset, progress: Progress) -> EpochIterator | None:
        """Return an iterator that stands at the next batch; None where no state leads there.

        Args:
            dataset: The whole epoch.
            progress: Says which batch is next.
        """
        at = (progress.epoch, progress.batch)
        if not self.keeps or not progress.batch or self._known is None or self._known[0] != at:
            return None
        epoch = EpochIterator(dataset)
        try:
            restore_iterator(epoch.iterator, self._known[1])
        except ValueError as error:
            log.warning("%s; what was read before is read again.", error)
            with epoch:  # lets go of it
                return None
        return epoch

    def leave(self, progress: Progress) -> None:
        """Take the state while the iterator is there: a checkpoint after the fit wants it."""
        self.state(progress)
