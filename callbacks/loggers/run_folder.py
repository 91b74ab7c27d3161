"""RunFolder: the folder of a run's files, chosen early and made late."""

from __future__ import annotations

import os
import re
import weakref
from pathlib import Path
from typing import Any

from lightning_tf.checks import checked_path
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import on_this_disk, portable
from lightning_tf.storage.remote_files import fetch_files, make_folders
from lightning_tf.storage.uploads import UPLOADS
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

VERSION = re.compile(r"version_(\d+)")


class RunFolder:
    """``<root>/<name>/version_<n>``, one for each task, by default with the first n that is free.

    It is made when something is first written, so that a run that leaves nothing leaves no folder.
    Loggers of one Trainer that would write beside each other share one; see `find_shared`.

    Args:
        owner: The logger's class, for messages.
        root: Holds the versions; ``runs`` in the Trainer's `default_root_dir` where it is None.
        name: A folder between root and version, for runs that belong together.
        version: A number n for ``version_<n>``, or the folder's own name; the next free number
            where it is None.
        resume: Continue in the folder of `version`, or in the newest, also without a checkpoint.
        taken_by: The name of the file by which a folder holds a run already.

    Attributes:
        path: The chosen folder; None before the first run.
        runs: How many runs it has chosen a path for.
        is_made: Whether it is on the disk, by this process or, where it continues, by another.

    Example:
        >>> folder = RunFolder("CSVLogger", "experiments", taken_by="metrics.csv")
        >>> folder.choose(trainer, task)
        >>> folder.make()
        PosixPath('experiments/version_0')
    """

    def __init__(
        self,
        owner: str,
        root: str | os.PathLike[str] | None = None,
        name: str | None = None,
        version: int | str | None = None,
        resume: bool = False,
        *,
        taken_by: str,
    ) -> None:
        self.owner = owner
        self.root = None if root is None else Path(checked_path(f"{owner}: root", root))
        self.name, self.version, self.resume, self.taken_by = name, version, resume, taken_by
        self.path: Path | None = None
        self.is_made = False
        self.runs = 0
        self._task: weakref.ref[Task] | None = None
        self._names: dict[tuple[str, str], str] = {}  # by kind and a file's name: what was logged
        self._continues = False
        self._to_continue: Path | None = None

    def parent(self, trainer: Trainer) -> Path:
        """Return the folder that holds the versions."""
        root = self.root or Path(trainer.default_root_dir) / "runs"
        return root / self.name if self.name else root

    def versions(self, trainer: Trainer) -> list[str]:
        """Return the folders of all versions."""
        parent = self.parent(trainer)
        make_folders(parent)
        names = os.listdir(parent) if parent.is_dir() else []
        return [str(parent / name) for name in names if (parent / name).is_dir()]

    def continue_in(self, path: str) -> None:
        """Continue in an earlier process's folder, if it is one that this would choose."""
        self._to_continue = Path(on_this_disk(path))

    def find_shared(self, trainer: Trainer, logger: Any) -> RunFolder:
        """Return the folder of an earlier logger of another kind for the same place, or this one.

        Args:
            trainer: Has the loggers.
            logger: The logger that asks; those before it are searched.
        """
        # Only those before it, so that of several the first one decides for all.
        before = trainer.loggers[: trainer.loggers.index(logger)]
        used = [getattr(other, "folder", None) for other in before if type(other) is type(logger)]

        for other in before:
            folder = getattr(other, "folder", None)
            if (
                isinstance(folder, RunFolder)
                and folder not in used  # two loggers of a kind would write the same files
                and folder.parent(trainer) == self.parent(trainer)
                and self.version in (None, folder.version)
            ):
                return folder
        return self

    def choose(self, trainer: Trainer, task: Task) -> None:
        """Choose a folder, a new one for another task.

        Raises:
            ConfigurationError: The folder of `version` holds a run and `resume` is False.
        """
        if self.path is not None and self._task is not None and self._task() is task:
            return

        # A weak reference: a logger must not keep a task and its models alive.
        self._task, self.is_made = weakref.ref(task), False
        # The chief's, which alone writes: others may not see what stands on its disk.
        chosen = trainer.workers.of_chief(lambda: self._open(self.parent(trainer)))
        path, self._continues = chosen
        self.path, self._to_continue = Path(on_this_disk(path)), None
        self.runs += 1

    def _open(self, parent: Path) -> list[Any]:
        """Return the folder as every worker understands it, and whether it has a run already."""
        UPLOADS.open(parent)
        make_folders(parent)
        path = self._choose_path(parent)
        if self._continues:
            fetch_files(path)
        return [portable(str(path)), self._continues]

    def _choose_path(self, parent: Path) -> Path:
        self._continues = self.resume
        name = f"version_{self.version}" if isinstance(self.version, int) else self.version
        # A resumed run continues where its checkpoint says, unless the user names another version.
        before = self._to_continue
        if before is not None and _is_version_of(parent, before) and name in (None, before.name):
            self._continues = True
            return parent / before.name

        if name is None:
            newest = newest_version(parent)
            return parent / f"version_{newest if self.resume and newest >= 0 else newest + 1}"

        folder = parent / name
        fetch_files(folder)
        if (folder / self.taken_by).exists() and not self.resume:
            raise ConfigurationError(
                f"{self.owner}(version={self.version!r}): {folder} holds a run already; give "
                "another version, or resume=True to go on with it."
            )
        return folder

    def make(self) -> Path:
        """Make the folder if needed, and return it."""
        if self.path is None:
            raise ConfigurationError(f"{self.owner} has no folder before a Trainer runs with it.")

        if not self.is_made:
            # Numbers are claimed by making their folder; a folder to continue may exist.
            is_numbered = self.version is None and not self._continues
            while True:
                try:
                    self.path.mkdir(parents=True, exist_ok=not is_numbered)
                    break
                except FileExistsError:  # another process was faster: take the next number
                    parent = self.path.parent
                    self.path = parent / f"version_{newest_version(parent) + 1}"
            self.is_made = True
        return self.path

    def file(self, kind: str, name: str, step: int, suffix: str, count: int = 1) -> Path:
        """Return a path for something that was logged at a step; its folder is made.

        Names such as ``a/b`` and ``a b`` are told apart by underscores; what a logger gets twice at
        one step by its count.
        """
        folder = self.make() / kind
        folder.mkdir(exist_ok=True)

        plain = re.sub(r"[^\w.-]+", "_", name)
        while self._names.setdefault((kind, plain), name) != name:
            plain += "_"
        number = f"_{count}" if count > 1 else ""
        return folder / f"{plain}_{step:08d}{number}{suffix}"

    def remove_if_only(self, *names: str) -> None:
        """Delete the folder where a failed run left nothing in it but these files."""
        if self.is_made and self.path is not None and set(os.listdir(self.path)) <= set(names):
            for name in names:
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
            self.path, self.is_made = None, False


def _is_version_of(parent: Path, before: Path) -> bool:
    # A checkpoint names it, which somebody may have forged: ".." would be one folder too high.
    in_place = before.parent.resolve() == parent.resolve() and before.name != ".."
    return in_place and before.is_dir()


def newest_version(parent: Path) -> int:
    """Return the highest number of a version, -1 where there is none."""
    names = os.listdir(parent) if parent.is_dir() else []
    numbers = [int(match[1]) for name in names if (match := VERSION.fullmatch(name))]
    return max(numbers, default=-1)
