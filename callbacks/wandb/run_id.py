"""Which W&B run a logger writes to, and where on this disk that run's folder is."""

from __future__ import annotations

import os
import secrets
import string
from pathlib import Path

from lightning_tf.callbacks.wandb.connection import is_opened_here

FOLDER = "wandb_runs"
LETTERS = string.ascii_lowercase + string.digits
LENGTH = 8
FORBIDDEN = "/\\#?%:"  # in an id, by W&B itself


def chosen_id(given: str | None, continued: str | None) -> str:
    """The id of the run to write to.

    A run that somebody else has open comes first, then what `wandb agent` says, the user, the
    checkpoint that is resumed from; else it is made up.

    Args:
        given: The user's.
        continued: A checkpoint's.

    Example:
        >>> chosen_id(None, None)
        '4fz0q2xk'
    """
    import wandb

    if wandb.run is not None and not is_opened_here(wandb.run.id):
        return str(wandb.run.id)
    agents = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    made_up = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return agents or given or continued or made_up


def checked_id(run_id: str) -> str:
    """An id that W&B takes, and that names a folder inside another one.

    Raises:
        ValueError: It is none.
    """
    if run_id in ("", ".", "..") or set(run_id) & set(FORBIDDEN):
        raise ValueError(f"it is no id of a W&B run, which has none of {FORBIDDEN}")
    return run_id


def folder_of(root: Path, project: str | None, run_id: str) -> Path:
    """The run's folder."""
    return root / FOLDER / (project or os.environ.get("WANDB_PROJECT") or "uncategorized") / run_id


def folders_in(root: Path) -> list[str]:
    """The folders of all runs of all projects."""
    return [str(run) for run in sorted((root / FOLDER).glob("*/*")) if run.is_dir()]
