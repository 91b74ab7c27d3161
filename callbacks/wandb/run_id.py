"""The id of the W&B run that a logger writes to, and the run's folder on this disk."""

import os
import secrets
import string
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lightning_tf.callbacks.wandb.connection import open_run_ids
from lightning_tf.exceptions import ConfigurationError

FOLDER = "wandb_runs"
LETTERS = string.ascii_lowercase + string.digits
LENGTH = 8
FORBIDDEN = "/\\#?%:"  # in an id, by W&B itself


def choose_run_id(user_id: str | None, checkpoint_id: str | None, experiment: Any = None) -> str:
    """Return the id of the run to write to.

    In this order: an open run that the user gives, one that somebody else has open, the run of
    `wandb agent`, the user's id, WANDB_RUN_ID, that of the checkpoint that is resumed from, and a
    new one.

    Args:
        user_id: The id that the user names.
        checkpoint_id: The id that a checkpoint names.
        experiment: A wandb.Run that the user has opened.

    Raises:
        ConfigurationError: WANDB_RUN_ID is no id.

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
    if from_environment is not None:
        try:
            check_run_id(from_environment)
        except ValueError as error:
            raise ConfigurationError(f"WANDB_RUN_ID={from_environment!r}: {error}.") from error

    agent_id = from_environment if "WANDB_SWEEP_ID" in os.environ else None
    return agent_id or user_id or from_environment or checkpoint_id or new_run_id()


def new_run_id() -> str:
    """Return an id that no run has yet, as W&B makes them: eight letters and digits."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


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


def lock_run_folder(folder: Path, held: FileLock | None = None) -> FileLock | None:
    """Keep other processes out of a run's folder, until the lock is released or the process ends.

    Args:
        folder: The run's.
        held: A lock that this logger has already; kept where it is of the same folder.

    Returns:
        The lock; None where the disk has none.

    Raises:
        RuntimeError: Another logger or process writes this run: both would lose rows.
    """
    path = folder / ".lock"
    if held is not None:
        if held.lock_file == str(path):
            return held
        held.release()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise RuntimeError(
            f"the W&B run {folder.name!r} is being written by another process or logger, in "
            f"{folder}: give another id= or another project, or wait until it ends."
        ) from error
    except (OSError, NotImplementedError):  # said when rows are written there
        return None
    return lock


def list_run_folders(root: Path) -> list[str]:
    """Return the folders of all runs of all projects."""
    return [str(run) for run in sorted((root / FOLDER).glob("*/*")) if run.is_dir()]
