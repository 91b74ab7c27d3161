"""CheckpointDirectory: names, links and deletion of the checkpoints in one folder."""

import os
import shutil
from collections.abc import Callable, Container
from pathlib import Path
from threading import RLock

from lightning_tf.checkpoint.atomic_directory import hidden_path, is_written_elsewhere
from lightning_tf.storage.remote_checkpoint import SUFFIX
from lightning_tf.storage.uploads import UPLOADS

NAMES_LOCK = RLock()  # held while names are chosen, and while one is checked and deleted
_claimed: set[str] = set()  # paths that some writer of this process is about to write


class CheckpointDirectory:
    """Chooses names that are free, and deletes nothing outside its folder.

    Args:
        path: The folder; the first checkpoint makes it.

    Example:
        >>> CheckpointDirectory("checkpoints").free_path("epoch=0-step=100")
        '/home/me/checkpoints/epoch=0-step=100.ckpt'
    """

    def __init__(self, path: str, versioned: bool = True) -> None:
        self.path, self.versioned = os.path.abspath(path), versioned

    def free_path(self, name: str, reusable: Container[str] = ()) -> str:
        """Return a path for a checkpoint that is not taken.

        Args:
            name: Its name, without suffix.
            reusable: Paths that may be replaced although they exist.
        """
        path, version = os.path.join(self.path, name + SUFFIX), 0
        while self.versioned and _is_taken(path, reusable):
            version += 1
            path = os.path.join(self.path, f"{name}-v{version}{SUFFIX}")
        return path

    def claim_path(self, name: str, reusable: Container[str] = ()) -> str:
        """Return a free path that no other writer of this process gets until it is released."""
        with NAMES_LOCK:
            path = self.free_path(name, reusable)
            if self.versioned:  # otherwise writers may replace what others have written
                _claimed.add(path)
        return path

    def release(self, *paths: str) -> None:
        """Let others ask for paths again: what was claimed is written, or never will be."""
        with NAMES_LOCK:
            if self.versioned:
                _claimed.difference_update(paths)

    def remove(self, path: str, is_held: Callable[[str], bool] = lambda path: False) -> None:
        """Delete a checkpoint if it stands in this folder and nobody else holds it.

        Args:
            path: The checkpoint.
            is_held: Whether another writer keeps it.

        Raises:
            OSError: The disk refuses.
        """
        if os.path.dirname(path) != self.path or not path.endswith(SUFFIX):
            return

        # Renamed first: a process that is killed meanwhile leaves no half checkpoint.
        doomed = self._hidden_path(path, "part")
        with NAMES_LOCK:  # else another writer could take the name after it was asked
            if is_held(path) or os.path.islink(path):
                return
            UPLOADS.removed(path)
            if not os.path.isdir(path):
                return
            os.rename(path, doomed)
        shutil.rmtree(doomed)

    def link(self, link: str, target: str) -> None:
        """Point a relative symbolic link at a checkpoint, replacing what stands there.

        A file system without links gets a copy.

        Raises:
            OSError: The disk refuses; what stood at `link` is untouched.
        """
        beside, old = self._hidden_path(link, "part"), self._hidden_path(link, "old")

        try:
            os.symlink(os.path.relpath(target, os.path.dirname(link)), beside)
        except OSError:
            shutil.copytree(target, beside)

        if os.path.isdir(link) and not os.path.islink(link):
            os.rename(link, old)  # os.replace refuses a directory that is not empty
        os.replace(beside, link)
        shutil.rmtree(old, ignore_errors=True)
        UPLOADS.written()

    def _hidden_path(self, path: str, kind: str) -> str:
        """Return a path beside another, named so that `atomic_directory.sweep` removes it."""
        return str(hidden_path(Path(path), kind))


def _is_taken(path: str, reusable: Container[str]) -> bool:
    if path in _claimed or is_written_elsewhere(Path(path)):
        return True
    return os.path.lexists(path) and path not in reusable
