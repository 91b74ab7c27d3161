"""CheckpointDirectory: names, links and deletion of the checkpoints in one folder."""

import os
import shutil
from collections.abc import Container

from lightning_tf.checkpoint.atomic_directory import OWNER

SUFFIX = ".ckpt"


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
        while self.versioned and os.path.lexists(path) and path not in reusable:
            version += 1
            path = os.path.join(self.path, f"{name}-v{version}{SUFFIX}")
        return path

    def remove(self, path: str) -> None:
        """Delete a checkpoint if it stands in this folder.

        Raises:
            OSError: The disk refuses.
        """
        inside = os.path.dirname(path) == self.path and path.endswith(SUFFIX)
        if inside and os.path.isdir(path) and not os.path.islink(path):
            # Renamed first: a process that is killed meanwhile leaves no half checkpoint.
            doomed = self._hidden_path(path, "part")
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

    def _hidden_path(self, path: str, kind: str) -> str:
        """Return a path beside another, named so that `atomic_directory.sweep` removes it."""
        return os.path.join(self.path, f".{os.path.basename(path)}.{OWNER}.{kind}")
