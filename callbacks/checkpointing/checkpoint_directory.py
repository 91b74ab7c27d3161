"""CheckpointDirectory: free names, links and deletion of checkpoints in one folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Container

from lightning_tf.checkpoint.atomic_directory import OWNER

SUFFIX = ".ckpt"


class CheckpointDirectory:
    """Gives names that are free, and deletes nothing outside itself.

    Args:
        path: The folder; made by the first checkpoint.
        versioned: Append ``-v1`` where a name is taken; otherwise what is there is replaced.

    Example:
        >>> CheckpointDirectory("checkpoints").free("epoch=0-step=100")
        '/home/me/checkpoints/epoch=0-step=100.ckpt'
    """

    def __init__(self, path: str, versioned: bool = True) -> None:
        self.path, self.versioned = os.path.abspath(path), versioned

    def free(self, name: str, reusable: Container[str] = ()) -> str:
        """The path for a name.

        Args:
            name: Without suffix.
            reusable: Paths that may be replaced though they are there.
        """
        path, version = os.path.join(self.path, name + SUFFIX), 0
        while self.versioned and os.path.lexists(path) and path not in reusable:
            version += 1
            path = os.path.join(self.path, f"{name}-v{version}{SUFFIX}")
        return path

    def remove(self, path: str) -> None:
        """Delete a checkpoint, if it stands in this folder.

        Raises:
            OSError: The disk refuses.
        """
        inside = os.path.dirname(path) == self.path and path.endswith(SUFFIX)
        if inside and os.path.isdir(path) and not os.path.islink(path):
            # Under another name first: a process killed meanwhile leaves no half checkpoint.
            going = self._hidden(path, "part")
            os.rename(path, going)
            shutil.rmtree(going)

    def link(self, link: str, target: str) -> None:
        """Point a relative symbolic link at a checkpoint, in the place of what is there.

        Where the file system has no links, it is a copy.

        Raises:
            OSError: The disk refuses; what stood at `link` is untouched.
        """
        beside, old = self._hidden(link, "part"), self._hidden(link, "old")
        try:
            os.symlink(os.path.relpath(target, os.path.dirname(link)), beside)
        except OSError:
            shutil.copytree(target, beside)
        if os.path.isdir(link) and not os.path.islink(link):
            os.rename(link, old)  # a directory with content cannot be replaced at once
        os.replace(beside, link)
        shutil.rmtree(old, ignore_errors=True)

    def _hidden(self, path: str, kind: str) -> str:
        """A name beside a path, of those that `atomic_directory.sweep` knows."""
        return os.path.join(self.path, f".{os.path.basename(path)}.{OWNER}.{kind}")
