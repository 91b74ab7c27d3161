"""shared_look: what a look at every file finds, where each worker looks at its part."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.distribute.workers import Workers
from lightning_tf.exceptions import DataError


def shared_look(
    workers: Workers, root: Path, paths: Sequence[str], look: Callable[[slice], dict[int, Any]]
) -> dict[int, Any]:
    """Look at every file once, all workers together.

    Args:
        workers: All of them call this; one alone looks at everything.
        root: The folder that the files are in, which may have another name on each worker.
        paths: The files, in an order of their names.
        look: Looks at a slice of them; gives what is to be told of a file by its index, as plain
            data that JSON can hold.

    Returns:
        What was found on all workers, in the order of the files.

    Raises:
        DataError: The workers have different files; or what `look` raised on any of them.

    Example:
        >>> alone, files = Workers(None, None), ["a.txt", "b.txt"]
        >>> shared_look(alone, Path("."), files, lambda part: {part.start: "is empty"})
        {0: 'is empty'}
    """
    if workers.count > 1:
        _check_same(workers, root, paths)
    own = workers.shard(len(paths))
    found = workers.unless_one_fails(lambda: look(own))
    return dict(item for each in workers.all_gather_object(list(found.items())) for item in each)


def _check_same(workers: Workers, root: Path, paths: Sequence[str]) -> None:
    names = b"\0".join(os.fsencode(os.path.relpath(path, root)) for path in paths)
    number = int.from_bytes(hashlib.sha256(names).digest()[:8], "big", signed=True)
    seen = workers.all_gather([len(paths), number])
    others = [index for index, row in enumerate(seen.tolist()) if row != seen[0].tolist()]
    if others:
        raise DataError(
            f"worker {others[0]} has {seen[others[0], 0]} files in its {root.name or root} and "
            f"worker 0 has {seen[0, 0]}, or their names differ; give all workers the same files."
        )
