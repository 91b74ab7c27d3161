"""AtomicDirectory: a directory that stands under its name whole, or not at all."""

import contextlib
import errno
import itertools
import os
import re
import shutil
import socket
import uuid
from pathlib import Path

PROCESS = uuid.uuid4().hex[:8]  # in containers, processes may share a host's name and a number
LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.(?P<host>[^~]*)~(?P<pid>\d+)~(?P<process>[^_]+)(?:_(?P<count>\d+))?"
    r"\.(?P<kind>part|old)"
)
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)  # a directory was renamed onto something
_counter = itertools.count()


def hidden_path(path: Path, kind: str) -> Path:
    """Return a path beside another that no other writer has, of this process or another.

    Another process can tell from it whether its owner still lives; `sweep` removes it then.

    Args:
        path: The final name.
        kind: ``part`` of what is being written, ``old`` of what was whole.
    """
    # The number is asked for each time: a forked process has its parent's modules.
    owner = f"{socket.gethostname()}~{os.getpid()}~{PROCESS}_{next(_counter)}"
    return path.with_name(f".{path.name}.{owner}.{kind}")


class AtomicDirectory:
    """Fill a directory beside its final name; it is fsynced and renamed when the block ends well.

    What stood under the name is replaced only by something whole. Two renames are needed for that;
    a process killed between them leaves the old directory beside its name, where `locate` finds
    it and `sweep` puts it back.

    Args:
        path: The final name; missing parents are made.

    Raises:
        FileExistsError: A file stands there.
        OSError: The disk refuses; what stood there is untouched.

    Example:
        >>> with AtomicDirectory(Path("runs/a")) as beside:
        ...     (beside / "run.json").write_text("{}")
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.beside, self._old = hidden_path(path, "part"), hidden_path(path, "old")

    def __enter__(self) -> Path:
        """Make the directory beside the name and return it."""
        if self.path.is_file():
            raise FileExistsError(f"{self.path} is a file; a directory cannot take its place.")
        shutil.rmtree(self.beside, ignore_errors=True)
        self.beside.mkdir(parents=True)
        return self.beside

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Rename it, or remove it where the block failed."""
        try:
            if kind is None:
                # What a name leads to must be on the disk before the name is.
                for file in self.beside.iterdir():
                    _sync(file)
                _sync(self.beside)
                self._rename()
                _sync(self.path.parent)
        finally:
            shutil.rmtree(self.beside, ignore_errors=True)

    def _rename(self) -> None:
        while not self._take_name():
            pass  # another writer took it meanwhile: what it wrote is replaced as well

    def _take_name(self) -> bool:
        """Rename onto the final name; return False where another writer was faster."""
        # A directory cannot be renamed onto another one, so the old one goes aside first.
        if os.path.lexists(self.path):
            with contextlib.suppress(FileNotFoundError):  # another writer moved it
                os.rename(self.path, self._old)

        try:
            os.rename(self.beside, self.path)
        except BaseException as error:
            with contextlib.suppress(OSError):  # where another writer's stands there by now
                os.rename(self._old, self.path)
            if not isinstance(error, OSError) or error.errno not in TAKEN:
                raise
            self._remove_old()
            return False

        self._remove_old()
        return True

    def _remove_old(self) -> None:
        if self._old.is_symlink():
            self._old.unlink()
        elif self._old.exists():
            shutil.rmtree(self._old)


def locate(path: Path) -> Path:
    """Return where the directory of a name stands: under it, or where a killed process left it."""
    if path.exists() or not path.parent.is_dir():
        return path
    moved = [p for p, match in _leftovers(path.parent) if _is_old_of(match, path.name)]
    return max(moved, key=lambda p: p.stat().st_mtime, default=path)


def final_name(name: str) -> str:
    """Return the final name of a folder's entry; empty for what was never whole.

    Args:
        name: Of an entry of a folder that `AtomicDirectory` writes to. What a killed process had
            moved aside has the name from before.
    """
    match = LEFTOVER.fullmatch(name)
    if match is None:
        return name
    return match["name"] if match["kind"] == "old" else ""


def is_written_elsewhere(path: Path) -> bool:
    """Return whether another process that lives is about to take a name."""
    return any(
        match["kind"] == "part" and match["name"] == path.name and _may_live(match)
        for _, match in _leftovers(path.parent)
        if match["process"] != PROCESS
    )


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half done, and put back what they moved.

    Args:
        folder: Holds directories that `AtomicDirectory` makes; may be missing.
    """
    for path, match in _leftovers(folder):
        if _may_live(match):
            continue

        final = folder / match["name"]
        with contextlib.suppress(OSError):
            if match["kind"] == "old" and not os.path.lexists(final):
                os.rename(path, final)
            elif path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)


def _leftovers(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [(folder / name, match) for name in names if (match := LEFTOVER.fullmatch(name))]


def _is_old_of(match: re.Match[str], name: str) -> bool:
    return match["kind"] == "old" and match["name"] == name


def _may_live(match: re.Match[str]) -> bool:
    # Of another machine's process nobody here can say whether it lives.
    return match["host"] != socket.gethostname() or _is_alive(match)


def _is_alive(match: re.Match[str]) -> bool:
    if int(match["pid"]) == os.getpid():  # in a container every process may have the same number
        return match["process"] == PROCESS
    try:
        os.kill(int(match["pid"]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it lives and is somebody else's
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
