"""RemoteCheckpoint: one checkpoint in a store, and its working copy on this disk."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lightning_tf.exceptions import CheckpointError
from lightning_tf.storage.location import file_system, is_url, local_path, url_of
from lightning_tf.storage.sent_record import SentRecord
from lightning_tf.storage.transfer import get, is_there, never, put, reason

SUFFIX = ".ckpt"
MARKER = "COMPLETE.json"
RUN_FILE = "run.json"  # small; holds the sums of the rest, and so differs with every save
TRIES = 3  # to read what another machine replaces meanwhile
SHOWN = 16  # digits of its sha256 name a save


@dataclass(frozen=True)
class Marker:
    """What the last object of an upload says: which files are whole, with their sums.

    Attributes:
        folder: Of the files, below the checkpoint; each save has its own, so that what stands is
            whole until the next one is. Empty for files that somebody copied there.
        files: Size and sha256 by name; the sum is empty for files without a marker.
    """

    folder: str
    files: dict[str, tuple[int, str]]


class RemoteCheckpoint:
    """Sends a checkpoint to the store, and fetches it from there.

    In the store it is ``<name>.ckpt/<save>/run.json`` and ``state.safetensors``, and last
    ``<name>.ckpt/COMPLETE.json``, one object, which is replaced in one piece and names the save
    that is whole. What was there before is deleted after that.

    Args:
        local: The working copy; its URL follows from it.

    Example:
        >>> RemoteCheckpoint(Path(local_path("ckpt_path", "s3://bucket/run/last.ckpt"))).fetch()
    """

    def __init__(self, local: Path) -> None:
        url = url_of(local)
        if url is None:
            raise ValueError(f"{local} is no working copy of a URL")
        self.local, self.url = local, url
        self._system, self._path = file_system(url)

    # ---- what there is

    def marker(self) -> Marker | None:
        """Return what is whole in the store; None where nothing is.

        Raises:
            Exception: What the store's own library raises, where it does not answer.
        """
        try:
            content = self._system.cat_file(f"{self._path}/{MARKER}")
        except FileNotFoundError:
            return None
        try:
            entries = json.loads(content)
            files = {str(n): (int(size), str(sums)) for n, (size, sums) in entries["files"].items()}
            folder = str(entries["folder"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # a damaged one vouches for nothing
        names = [folder, *files]
        is_plain = all(name == os.path.basename(name) and name not in ("", "..") for name in names)
        return Marker(folder, files) if is_plain and RUN_FILE in files else None

    def _unmarked(self) -> Marker | None:
        """Return a checkpoint that somebody copied there; its own sums are looked at later."""
        self._system.invalidate_cache(self._path)
        if not is_there(self._system, f"{self._path}/{RUN_FILE}"):
            return None
        files = [entry for entry in self._system.ls(self._path) if entry["type"] == "file"]
        return Marker("", {os.path.basename(e["name"]): (e["size"], "") for e in files})

    def _save(self) -> str | None:
        """Return the name of the save that stands here; None where none does."""
        try:
            return _name_of((self.local / RUN_FILE).read_bytes())
        except OSError:
            return None

    def is_whole(self, count: int = 2) -> bool:
        """Return whether so many files stand here, which are all; asks nobody."""
        names = os.listdir(self.local) if self.local.is_dir() else []
        return len([name for name in names if not name.startswith(".")]) >= count

    # ---- to the store

    def is_sent(self) -> bool:
        """Return whether what stands here was sent or fetched; asks nobody."""
        stamp = _stamp(self.local)
        return stamp is None or SentRecord(self.local.parent).stamp(self.local.name) == stamp

    def send(self, stopped: Callable[[], bool] = never) -> None:
        """Send what stands here; nothing where it is there already, or is not whole.

        The files are opened first: whoever deletes or replaces them meanwhile does not hurt.

        Args:
            stopped: Asked between chunks.

        Raises:
            Exception: What the store's own library raises; what was whole there still is.
        """
        with _opened(self.local) as files:
            if len(files) < 2:  # deleted since, or its tensors are still in the store alone
                return
            stamp, save = _stamp(self.local), _name_of(files[RUN_FILE].read())
            there = self.marker()
            if there is None or there.folder != save:
                marker = Marker(save, {})
                for name, file in files.items():
                    file.seek(0)
                    target = f"{self._path}/{save}/{name}"
                    marker.files[name] = put(file, self._system, target, stopped)
                content = json.dumps(asdict(marker), indent=1).encode()
                self._system.pipe_file(f"{self._path}/{MARKER}", content)
                self._remove_all_but(MARKER, save)
        if self._save() == save:  # else another one stands there by now
            self._note(stamp, save)

    def remove(self) -> None:
        """Delete it in the store; first what says that it is whole.

        Raises:
            Exception: What the store's own library raises.
        """
        with suppress(FileNotFoundError):
            self._system.rm_file(f"{self._path}/{MARKER}")
        self._remove_all_but()
        SentRecord(self.local.parent).forget(self.local.name)

    def _remove_all_but(self, *kept: str) -> None:
        self._system.invalidate_cache(self._path)
        try:
            entries = self._system.ls(self._path, detail=False)
        except FileNotFoundError:
            return
        for entry in entries:
            if os.path.basename(entry.rstrip("/")) not in kept:
                self._system.rm(entry, recursive=True)

    def _note(self, stamp: Any, save: str) -> None:
        SentRecord(self.local.parent).note(self.local.name, stamp, save)

    # ---- from the store

    def look(self) -> None:
        """Bring what stands here up to date, but for the tensors, which `fetch` gets.

        Where the store has what this machine sent, or nothing, what stands here counts; else the
        store's.

        Raises:
            CheckpointError: The store does not answer, or what it has is not whole.
        """
        self._read(self._look)

    def _look(self) -> None:
        marker = self.marker()
        save = self._save()
        known = SentRecord(self.local.parent).digest(self.local.name)
        if marker is None:
            marker = self._unmarked()
        if marker is None:
            if save is None:
                raise CheckpointError(f"{self.url} was not uploaded whole, or is not there.")
            return
        if marker.folder and (save == marker.folder or (save and known == marker.folder)):
            return

        clear(self.local)
        self._get(RUN_FILE, marker)
        if marker.folder:
            self._note(_stamp(self.local), marker.folder)

    def fetch(self) -> None:
        """Get the files that are not here, each with the sum that the marker says.

        Raises:
            CheckpointError: The store does not answer, or what it has is damaged.
        """
        self._read(self._fetch)

    def _fetch(self) -> None:
        marker = self.marker() or self._unmarked()
        save = self._save()
        if marker is None or self.is_whole():
            return  # by now: another process of this machine had the lock
        if marker.folder and save not in (None, marker.folder):
            # Its tensors are gone from the store: another machine has replaced it since.
            clear(self.local)
        for name in sorted(marker.files, key=lambda name: name == RUN_FILE):
            if not (self.local / name).exists():
                self._get(name, marker)
        if marker.folder:
            self._note(_stamp(self.local), marker.folder)

    def _get(self, name: str, marker: Marker) -> None:
        source = "/".join(part for part in (self._path, marker.folder, name) if part)
        target = self.local / name
        size, sums = get(self._system, source, target)
        wanted, wanted_sums = marker.files[name]
        if size != wanted or (wanted_sums and sums != wanted_sums):
            target.unlink()
            raise CheckpointError(
                f"{self.url} is damaged in the store: {name} has not the size and sha256 that "
                f"{MARKER} says."
            )

    def _read(self, work: Callable[[], None]) -> None:
        """Let one process of this machine read; tell what the store says as a CheckpointError."""
        from filelock import FileLock

        self.local.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.local.parent / f".{self.local.name}.lock"):
            for left in reversed(range(TRIES)):
                try:
                    work()
                    return
                except CheckpointError:
                    raise
                except Exception as error:  # each store's library has errors of its own
                    # Files are gone where another machine replaces the checkpoint meanwhile.
                    if not (left and isinstance(error, FileNotFoundError)):
                        raise CheckpointError(
                            f"{self.url} cannot be read: {reason(error)}"
                        ) from error


def look_up(folder: str | os.PathLike[str]) -> list[str]:
    """Bring the working copies of a folder's checkpoints up to date, but for their tensors.

    Args:
        folder: Any; one that is no working copy is left as it is.

    Returns:
        What is not whole in the store, a message each.

    Raises:
        CheckpointError: The store does not answer.
    """
    url = url_of(folder)
    if url is None:
        return []

    problems = []
    for name in names_in(url):
        if name.endswith(SUFFIX):
            try:
                RemoteCheckpoint(Path(folder) / name).look()
            except CheckpointError as error:
                problems.append(str(error))
    return problems


def names_in(url: str) -> list[str]:
    """Return the names of the folders that stand directly below a URL.

    Raises:
        CheckpointError: The store does not answer.
    """
    system, path = file_system(url)
    try:
        system.invalidate_cache()
        entries = system.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:  # each store's library has errors of its own
        here = local_path("path", url)
        hint = (
            f" What stands there may be newer than what stands on this disk, in {here}; give that "
            "path to take it."
        )
        raise CheckpointError(
            f"{url} cannot be read: {reason(error)}.{hint if os.path.isdir(here) else ''}"
        ) from error
    found = [e["name"].rstrip("/") for e in entries if e["type"] == "directory"]
    return sorted(os.path.basename(name) for name in found)


def at_hand(path: str | os.PathLike[str], whole: bool = True) -> str | os.PathLike[str]:
    """Return a checkpoint's path on this disk; what is missing of a URL's is fetched.

    Args:
        path: A URL, which is looked up anew; a working copy, of which only what is missing is
            fetched; or any other path, which is returned as it is.
        whole: Whether the tensors are wanted.

    Raises:
        CheckpointError: The store does not answer, or what it has is not whole.
    """
    looked = is_url(path)
    local = Path(local_path("ckpt_path", path))  # refuses a URL that pathlib has shortened
    if url_of(local) is None:
        return local if looked else path

    checkpoint = RemoteCheckpoint(Path(local))
    if looked:
        checkpoint.look()
    if not checkpoint.is_whole(2 if whole else 1):
        checkpoint.fetch()
    return checkpoint.local


def clear(path: Path) -> None:
    """Delete what stands at a path, if anything does; of a link, not what it points to.

    Raises:
        OSError: The disk refuses.
    """
    if path.is_dir() and not path.is_symlink():  # rmtree refuses a link
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _opened(folder: Path) -> Iterator[dict[str, BinaryIO]]:
    """Open the files of a checkpoint, all of the same save."""
    while True:
        with ExitStack() as stack:
            try:
                before = os.stat(folder).st_ino
                files: dict[str, BinaryIO] = {
                    name: stack.enter_context((folder / name).open("rb"))
                    for name in sorted(os.listdir(folder))
                    if not name.startswith(".")
                }
                if os.stat(folder).st_ino != before:
                    continue  # replaced meanwhile: some files are of the one before
            except (FileNotFoundError, NotADirectoryError):
                files = {}
            yield files if RUN_FILE in files else {}
            return


def _stamp(folder: Path) -> list[int] | None:
    try:
        status = os.stat(folder / RUN_FILE)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _name_of(run: bytes) -> str:
    return hashlib.sha256(run).hexdigest()[:SHOWN]
