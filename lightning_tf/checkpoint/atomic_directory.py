"""AtomicDirectory: a directory that stands under its name whole, or not at all."""

import contextlib
import os
import re
import shutil
import socket
import uuid
from pathlib import Path

# Unique to this process, and readable: another process can tell whether its owner still lives.
OWNER = f"{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"
LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.(?P<host>[^~]*)~(?P<pid>\d+)~(?P<nonce>\w+)\.(?P<kind>part|old)"
)


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
        self.beside = path.with_name(f".{path.name}.{OWNER}.part")
        self._old = path.with_name(f".{path.name}.{OWNER}.old")

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
        if not os.path.lexists(self.path):
            os.rename(self.beside, self.path)
            return

        # A directory cannot be renamed onto another one, so the old one goes aside first.
        os.rename(self.path, self._old)
        try:
            os.rename(self.beside, self.path)
        except BaseException:
            os.rename(self._old, self.path)
            raise
        self._old.unlink() if self._old.is_symlink() else shutil.rmtree(self._old)


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


def sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left half done, and put back what they moved.

    Args:
        folder: Holds directories that `AtomicDirectory` makes; may be missing.
    """
    for path, match in _leftovers(folder):
        # Of another machine's process nobody here can say whether it lives.
        if match["host"] != socket.gethostname() or _is_alive(match):
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


def _is_alive(match: re.Match[str]) -> bool:
    if int(match["pid"]) == os.getpid():  # in a container every process may have the same number
        return OWNER.endswith(f"~{match['nonce']}")
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
