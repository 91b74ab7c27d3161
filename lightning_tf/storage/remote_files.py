"""Files of a run's folder, to a store and back; checkpoints have their own way."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.storage.location import file_system, is_url, local_path, url_of
from lightning_tf.storage.remote_checkpoint import SUFFIX, RemoteCheckpoint, clear, names_in
from lightning_tf.storage.sent_record import SentRecord
from lightning_tf.storage.transfer import files_below, get, is_there, put, reason

log = logging.getLogger("lightning_tf")


def checkpoints_below(folder: Path) -> Iterator[Path]:
    """Yield the checkpoints of a folder and of those in it."""
    for parent, folders, _ in os.walk(folder):
        found = [name for name in folders if name.endswith(SUFFIX) and not name.startswith(".")]
        yield from (Path(parent) / name for name in found)
        folders[:] = [name for name in folders if name not in found and not name.startswith(".")]


def unsent_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that have changed since they were sent.

    Hidden ones, such as parts of what is being written, and checkpoints are left out.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".") and not n.endswith(SUFFIX)]
        record = SentRecord(Path(parent))
        for name in names:
            path = Path(parent) / name
            if not name.startswith(".") and record.stamp(name) != _stamp(path):
                yield path


def send_file(path: Path) -> None:
    """Send a file of a working copy.

    Raises:
        Exception: What the store's own library raises.
    """
    stamp = _stamp(path)
    if stamp is None:  # deleted since
        return
    system, target = file_system(str(url_of(path)))
    with path.open("rb") as file:
        _, sums = put(file, system, target)
    SentRecord(path.parent).note(path.name, stamp, sums)


def fetch_files(folder: str | os.PathLike[str]) -> None:
    """Bring the files of a working copy up to date; those of checkpoints are left out.

    A file that the store has as this machine sent it counts as it stands here.

    Args:
        folder: Any; one that is no working copy is left as it is.

    Raises:
        ConfigurationError: The store does not answer.
    """
    url = url_of(folder)
    if url is None:
        return

    system, root = file_system(url)
    try:
        system.invalidate_cache()
        for name, info in files_below(system, root).items():
            parts = Path(name).parts
            if not any(part.endswith(SUFFIX) or part.startswith(".") for part in parts):
                _fetch(system, info["name"], Path(folder) / name)
    except Exception as error:  # each store's library has errors of its own
        raise ConfigurationError(f"{url} cannot be read: {reason(error)}") from error


def make_folders(folder: str | os.PathLike[str]) -> None:
    """Make an empty folder for each that stands below a working copy's URL: names are taken.

    Raises:
        CheckpointError: The store does not answer.
    """
    url = url_of(folder)
    for name in [] if url is None else names_in(url):
        (Path(folder) / name).mkdir(parents=True, exist_ok=True)


def local_run(run: str | os.PathLike[str]) -> str:
    """Return the folder of a run on this disk; the files of a URL's are fetched.

    Raises:
        ConfigurationError: The store does not answer, or has nothing there.
    """
    folder = local_path("run", run)
    if is_url(run):
        fetch_files(folder)
        if url_of(folder) is not None and not os.path.isdir(folder):
            raise ConfigurationError(f"{run}: there is nothing; give the folder of a run.")
    return folder


def local_file(name: str, path: str | os.PathLike[str]) -> str:
    """Return the path of a file on this disk; one at a URL is fetched, alone.

    Args:
        name: The argument, for messages.
        path: Any path; whether something stands at a local one is not looked at.

    Raises:
        ConfigurationError: The store does not answer, or has no file there.
    """
    file = local_path(name, path)
    url = url_of(file) if is_url(path) else None
    if url is None:
        return file

    system, source = file_system(url)
    try:
        _fetch(system, source, Path(file))
    except Exception as error:  # each store's library has errors of its own
        raise ConfigurationError(f"{name}={url} cannot be read: {reason(error)}") from error
    return file


def stored(path: str | os.PathLike[str]) -> str:
    """Send what was written to a working copy, and return where it stands: a URL or the path.

    Args:
        path: A file or a folder; any that is no working copy is only returned.

    Raises:
        ConfigurationError: The store does not take it.
    """
    url = url_of(path)
    if url is None:
        return str(path)

    try:
        if os.path.isfile(path):
            send_file(Path(path))
        elif str(path).endswith(SUFFIX):
            RemoteCheckpoint(Path(path)).send()
        else:
            for file in unsent_files(Path(path)):
                send_file(file)
    except Exception as error:  # each store's library has errors of its own
        raise ConfigurationError(
            f"{url} cannot be written: {reason(error)}. It stands whole in {path}: copy it from "
            "there."
        ) from error
    log.info("%s: uploaded.", url)
    return url


def make_free(target: Path) -> None:
    """Make the working copy of what is to be written as empty as its URL.

    Args:
        target: Any path; one that is no working copy is left as it is.

    Raises:
        ConfigurationError: Something is at the URL, or the store does not answer.
    """
    url = url_of(target)
    if url is None:
        return

    system, path = file_system(url)
    try:
        system.invalidate_cache()
        is_taken = is_there(system, path)
    except Exception as error:  # each store's library has errors of its own
        raise ConfigurationError(f"{url} cannot be read: {reason(error)}") from error
    if is_taken:
        raise ConfigurationError(f"{url}: something is there; give another path.")
    clear(target)


def _fetch(system: Any, source: str, target: Path) -> None:
    record = SentRecord(target.parent)
    beside = target.with_name(f".{target.name}.{os.getpid()}.fetched")
    _, sums = get(system, source, beside)
    if target.exists() and record.digest(target.name) == sums:
        beside.unlink()
        return
    os.replace(beside, target)
    record.note(target.name, _stamp(target), sums)


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
