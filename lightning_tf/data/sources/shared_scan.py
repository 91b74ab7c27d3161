"""shared_scan: what a look at every file finds, where each worker looks at its shard."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import DataError


def shared_scan(
    workers: Workers, root: Path, paths: Sequence[str], scan: Callable[[slice], dict[int, Any]]
) -> dict[int, Any]:
    """Scan every file once, all workers together.

    Args:
        workers: All of them call this; one alone scans everything.
        root: The folder that the files are in, which may have another name on each worker.
        paths: The files, in an order of their names.
        scan: Scans a slice of them; returns what is to be told of a file by its index, as plain
            data that JSON can hold.

    Returns:
        What all workers have to tell, in the order of the files.

    Raises:
        DataError: The workers have different files; or what `scan` raised on any of them.

    Example:
        >>> alone, files = Workers(None, None), ["a.txt", "b.txt"]
        >>> shared_scan(alone, Path("."), files, lambda shard: {shard.start: "is empty"})
        {0: 'is empty'}
    """
    if workers.count > 1:
        _check_same(workers, root, paths)  # else an index would name another file on each worker
    shard = workers.shard(len(paths))
    report = workers.unless_one_fails(lambda: scan(shard))

    # As pairs: the keys of a JSON object would come back as strings.
    reports = workers.all_gather_object(list(report.items()))
    return dict(item for items in reports for item in items)


def _check_same(workers: Workers, root: Path, paths: Sequence[str]) -> None:
    # A hash of 8 bytes goes through one integer collective, whatever the number of files.
    names = b"\0".join(os.fsencode(os.path.relpath(path, root)) for path in paths)
    number = int.from_bytes(hashlib.sha256(names).digest()[:8], "big", signed=True)
    rows = workers.all_gather([len(paths), number])  # (workers, 2)
    others = [index for index, row in enumerate(rows.tolist()) if row != rows[0].tolist()]
    if others:
        raise DataError(
            f"worker {others[0]} has {rows[others[0], 0]} files in its {root.name or root} and "
            f"worker 0 has {rows[0, 0]}, or their names differ; give all workers the same files."
        )
