"""lock_run: one process at a time writes a run's folder."""

from pathlib import Path

from filelock import FileLock, Timeout

FILE = ".lock"


def lock_run(folder: Path, held: FileLock | None = None) -> FileLock | None:
    """Keep others out of a run's folder, until the lock is released or the process ends.

    Args:
        folder: The run's.
        held: A lock that this logger has already; kept where it is of the same folder.

    Returns:
        The lock; None where the disk has none.

    Raises:
        RuntimeError: Another logger or process writes this run: both would lose rows.
    """
    path = folder / FILE
    if held is not None:
        if held.lock_file == str(path):
            return held
        held.release()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise RuntimeError(
            f"the run {folder.name!r} is being written by another process or logger, in "
            f"{folder}: give another id or another project, or wait until it ends."
        ) from error
    except (OSError, NotImplementedError):  # said when rows are written there
        return None
    return lock
