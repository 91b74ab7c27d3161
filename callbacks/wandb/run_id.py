"""The id of the W&B run that a logger writes to, and the run's folder on this disk."""

import os
import secrets
import string
from pathlib import Path

from lightning_tf.callbacks.wandb.connection import open_run_ids

FOLDER = "wandb_runs"
LETTERS = string.ascii_lowercase + string.digits
LENGTH = 8
FORBIDDEN = "/\\#?%:"  # in an id, by W&B itself


def choose_run_id(user_id: str | None, checkpoint_id: str | None) -> str:
    """Return the id of the run to write to.

    In this order: a run that somebody else has open, the run of `wandb agent`, the user's, that of
    the checkpoint that is resumed from, and a new id.

    Args:
        user_id: The id that the user names.
        checkpoint_id: The id that a checkpoint names.

    Example:
        >>> choose_run_id(None, None)
        '4fz0q2xk'
    """
    import wandb

    if wandb.run is not None and wandb.run.id not in open_run_ids():
        return str(wandb.run.id)
    agent_id = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    new_id = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return agent_id or user_id or checkpoint_id or new_id


def check_run_id(run_id: str) -> str:
    """Return an id if W&B takes it and it names a folder inside another one.

    Raises:
        ValueError: It is none.
    """
    if run_id in ("", ".", "..") or set(run_id) & set(FORBIDDEN):
        raise ValueError(f"it is no id of a W&B run, which has none of {FORBIDDEN}")
    return run_id


def run_folder(root: Path, project: str | None, run_id: str) -> Path:
    """Return the run's folder."""
    return root / FOLDER / (project or os.environ.get("WANDB_PROJECT") or "uncategorized") / run_id


def list_run_folders(root: Path) -> list[str]:
    """Return the folders of all runs of all projects."""
    return [str(run) for run in sorted((root / FOLDER).glob("*/*")) if run.is_dir()]
