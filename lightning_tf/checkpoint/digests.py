"""Digests of a file, piece by piece: several cores compute them while the disk takes the file."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PIECE = 2**24  # bytes


def digest_while_syncing(file: Path) -> list[str]:
    """Return the sha256 of every 16 MiB of a file, which is fsynced meanwhile.

    One after the other, writing, hashing and syncing of 100 MB take twice as long.

    Raises:
        OSError: The disk refuses.
    """
    with file.open("rb") as content, ThreadPoolExecutor(1 + (os.cpu_count() or 1)) as pool:
        number = content.fileno()
        syncing = pool.submit(os.fsync, number)

        # Neither pread nor sha256 of a large piece holds Python's lock.
        starts = range(0, os.fstat(number).st_size, PIECE)
        sums = list(pool.map(lambda start: _digest(os.pread(number, PIECE, start)), starts))
        syncing.result()
    return sums


def digest(content: bytes) -> list[str]:
    """Return the sha256 of every 16 MiB of what was read from a file."""
    view = memoryview(content)
    return [_digest(view[start : start + PIECE]) for start in range(0, len(content), PIECE)]


def _digest(piece: bytes | memoryview) -> str:
    return hashlib.sha256(piece).hexdigest()
