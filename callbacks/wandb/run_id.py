"""The id of the W&B run that a logger writes to."""

import os
from typing import Any

from lightning_tf.callbacks.loggers.tracker_logger import new_run_id
from lightning_tf.callbacks.wandb.connection import open_run_ids

FORBIDDEN = "/\\#?%:;,'"  # in an id, by W&B itself


def choose_run_id(user_id: str | None, checkpoint_id: str | None, experiment: Any = None) -> str:
    """Return the id of the run to write to.

    In this order: an open run that the user gives, one that somebody else has open, the run of
    `wandb agent`, the user's id, WANDB_RUN_ID, that of the checkpoint that is resumed from, and a
    new one.

    Args:
        user_id: The id that the user names.
        checkpoint_id: The id that a checkpoint names.
        experiment: A wandb.Run that the user has opened.

    Example:
        >>> choose_run_id(None, None)
        '4fz0q2xk'
    """
    import wandb

    if experiment is not None:
        return str(experiment.id)
    if wandb.run is not None and wandb.run.id not in open_run_ids():
        return str(wandb.run.id)
    from_environment = os.environ.get("WANDB_RUN_ID") or None
    agent_id = from_environment if "WANDB_SWEEP_ID" in os.environ else None
    return agent_id or user_id or from_environment or checkpoint_id or new_run_id()


def check_run_id(run_id: str) -> str:
    """Return an id if W&B takes it and it names a folder inside another one.

    Raises:
        ValueError: It is none.
    """
    if run_id in ("", ".", "..") or set(run_id) & set(FORBIDDEN):
        raise ValueError(f"it is no id of a W&B run, which has none of {FORBIDDEN}")
    return run_id
