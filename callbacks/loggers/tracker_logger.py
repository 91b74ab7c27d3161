"""TrackerLogger: what loggers have alike whose run has an id, and a folder of its own."""

import secrets
import string
import weakref
from pathlib import Path
from typing import ClassVar

from filelock import FileLock

from lightning_tf.callbacks.loggers.run_lock import lock_run
from lightning_tf.logger import Logger
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

LETTERS = string.ascii_lowercase + string.digits
LENGTH = 8


class TrackerLogger(Logger):
    """Chooses a run and keeps its folder, ``<root>/<package>_runs/<project>/<id>``, to itself.

    Attributes:
        package: The tracker's package, which names the folder of all runs.
    """

    package: ClassVar[str]

    def __init__(self, run_id: str | None) -> None:
        self._user_id, self._id = run_id, run_id
        self._checkpoint_id: str | None = None
        self._task: weakref.ref[Task] | None = None
        self._folder: Path | None = None
        self._lock: FileLock | None = None

    @property
    def run_id(self) -> str | None:
        """Return the run's id, by which checkpoints know it; None before the first entry point."""
        return self._id

    @property
    def log_dir(self) -> str | None:
        """Return the run's folder on this disk; None before the first entry point."""
        return None if self._folder is None else str(self._folder)

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Return the folders of all runs of all projects."""
        folders = sorted(self._runs(trainer).glob("*/*"))
        return [str(folder) for folder in folders if folder.is_dir()]

    def _runs(self, trainer: Trainer) -> Path:
        return self._root(trainer) / f"{self.package}_runs"

    def _root(self, trainer: Trainer) -> Path:
        """Return the folder that holds those of all runs."""
        return Path(trainer.default_root_dir)

    def _begins_run(self, task: Task) -> bool:
        """Return whether this entry point has another run than the one before."""
        # Another task has a run of its own; a resumed task has that of its checkpoint.
        if self._task is not None and self._task() is task and not self._checkpoint_id:
            return False
        self._task = weakref.ref(task)
        return True

    def _lock_folder(self) -> None:
        """Keep the run's folder until `_unlock_folder`; raise where somebody else writes there."""
        if self._folder is not None:
            self._lock = lock_run(self._folder, self._lock)

    def _unlock_folder(self) -> None:
        if self._lock is not None:
            self._lock.release()
        self._lock = None


def new_run_id() -> str:
    """Return an id that no run has yet, as W&B makes them: eight letters and digits."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
