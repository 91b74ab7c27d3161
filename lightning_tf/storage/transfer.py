"""Bytes from a file to a store and back, with their sha256."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

CHUNK = 2**23  # bytes; S3 takes parts of 5 MB and more


class TransferStopped(Exception):
    """Nobody waits for this upload any more."""


def never() -> bool:
    """Return False: a transfer that nothing stops."""
    return False


def put(
    source: BinaryIO, system: Any, target: str, stopped: Callable[[], bool] = never
) -> tuple[int, str]:
    """Write what a file holds to a store; return its size and sha256.

    Args:
        source: Open; read from where it stands.
        system: fsspec's.
        target: The path in it.
        stopped: Asked between chunks.

    Raises:
        OSError: The store has less than was sent.
        TransferStopped: `stopped` returned True.
        Exception: What the store's own library raises.
    """
    sums, size = hashlib.sha256(), 0
    first = source.read(CHUNK)
    following = source.read(CHUNK) if len(first) == CHUNK else b""
    if not following:  # in one request, which other machines see whole or not at all
        system.pipe_file(target, first)
        sums.update(first)
        size = len(first)
    else:
        with system.open(target, "wb") as file:
            for chunk in (first, following, *iter(lambda: source.read(CHUNK), b"")):
                if stopped():
                    raise TransferStopped(target)
                file.write(chunk)
                sums.update(chunk)
                size += len(chunk)

    system.invalidate_cache(os.path.dirname(target))
    stored = system.info(target)["size"]
    if stored != size:
        raise OSError(f"{target} has {stored} bytes of {size} in the store")
    return size, sums.hexdigest()


def get(system: Any, source: str, target: Path) -> tuple[int, str]:
    """Write what a store holds to a file; return its size and sha256.

    The file appears under its name once it is whole.

    Raises:
        Exception: What the store's own library raises; the file is as it was.
    """
    sums, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with system.open(source, "rb") as file, beside.open("wb") as out:
            while chunk := file.read(CHUNK):
                out.write(chunk)
                sums.update(chunk)
                size += len(chunk)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return size, sums.hexdigest()


def is_there(system: Any, path: str) -> bool:
    """Return whether something stands at a path; fsspec's `exists` takes any failure for no.

    Raises:
        Exception: What the store's own library raises, where it does not answer.
    """
    try:
        system.info(path)
    except FileNotFoundError:
        return False
    return True


def files_below(system: Any, path: str) -> dict[str, dict[str, Any]]:
    """Return fsspec's info of every file below a path by its relative name; of a file by "".

    Raises:
        Exception: What the store's own library raises. `find` would leave out what it cannot list.
    """
    if not is_there(system, path):
        return {}
    return {
        info["name"][len(path) :].strip("/"): info
        for _, _, files in system.walk(path, detail=True, on_error="raise")
        for info in files.values()
        if not info["name"].endswith("/")  # what stands for an empty folder
    }


def reason(error: BaseException) -> str:
    """Return an error of a store's library as one line."""
    text = " ".join(str(error).split())
    return text if len(text) > 20 else f"{type(error).__name__}: {text}".rstrip(": ")
