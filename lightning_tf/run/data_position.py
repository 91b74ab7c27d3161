"""Where the sources of training data stand, in a checkpoint."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lightning_tf.loops.training_data import data_of

if TYPE_CHECKING:
    from lightning_tf.checkpoint.io import Checkpoint
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")

KEY = "data_position"  # in a checkpoint's plain data


def data_position(trainer: Trainer, task: Task) -> dict[str, Any]:
    """Return where every worker's source stands before the next batch; all workers call it.

    Returns:
        Plain data and bytes; nothing between epochs, and of data that begin at any batch.
    """
    progress, loop = trainer.progress, trainer.state.fit_loop
    if not progress.batch or progress.epoch_closed or task.data is None:
        return {}
    if not data_of(task).is_stream and (loop is None or not loop.keeps_iterator):
        return {}  # known to all workers alike

    state = data_of(task).position_at(progress.epoch, progress.batch)
    iterator = None if state is not None or loop is None else loop.iterator_state()
    position = {"source": state} if state is not None else {"iterator": iterator}
    workers = trainer.workers.all_gather_object(position)
    if any(value is None for each in workers for value in each.values()):
        return {}
    return {"epoch": progress.epoch, "batch": progress.batch, "workers": workers}


def restore_position(trainer: Trainer, task: Task, checkpoint: Checkpoint) -> None:
    """Let the data go on from where they stood, where the checkpoint knows it."""
    saved = checkpoint.run.get(KEY) or {}
    if not saved:
        return
    workers = trainer.workers
    if len(saved["workers"]) != workers.count:
        log.warning(
            "%s holds the positions of %d workers' data, and there are %d: what was read before "
            "is read again.",
            checkpoint.path,
            len(saved["workers"]),
            workers.count,
        )
        return

    position, epoch, batch = (
        saved["workers"][workers.index],
        int(saved["epoch"]),
        int(saved["batch"]),
    )
    if "source" in position:
        data_of(task).take_position(epoch, batch, position["source"])
    elif trainer.state.fit_loop is not None:
        trainer.state.fit_loop.take_iterator_state(epoch, batch, position["iterator"])
