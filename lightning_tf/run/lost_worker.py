"""What is kept and said where another worker is lost."""

from __future__ import annotations

import os
import tempfile
import traceback
from typing import TYPE_CHECKING

from lightning_tf.exceptions import WorkerLostError
from lightning_tf.run.signals import leave_without_traceback

if TYPE_CHECKING:
    from lightning_tf.trainer import Trainer


def keep_traceback(
    trainer: Trainer, error: WorkerLostError, cause: BaseException
) -> WorkerLostError:
    """Write the traceback of a lost worker into a file, and leave one sentence for the screen.

    It is of the exchange that broke, hundreds of lines long, and says nothing of why the other
    worker is gone.

    Args:
        trainer: Whose folder the file goes to.
        error: What is to be raised.
        cause: What was.

    Returns:
        The error, which names the file where that could be written.
    """
    name = f"lost_worker_seen_by_{trainer.workers.index}.txt"
    folder = trainer.log_dir
    if folder is None and trainer.checkpoint_callback is not None:
        folder = trainer.default_root_dir
    try:
        if folder is None:  # a run that writes nothing leaves nothing in the working directory
            folder = tempfile.mkdtemp(prefix="lightning_tf_")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(cause)))
    except OSError:
        return error  # then Python prints it

    named = WorkerLostError(f"{error} The traceback is in {path}.")
    leave_without_traceback(named, f"{type(named).__name__}: {named}")
    return named


def place_of(trainer: Trainer) -> str:
    """Return what the main thread of a Trainer is at: a hook, else the stage."""
    hooks = trainer.state.hooks
    if hooks is not None and hooks.running is not None:
        return hooks.running[1]
    return str(trainer.stage or trainer.entry_point or "no entry point")
