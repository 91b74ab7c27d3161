"""free_memory: how much memory this process may still take."""

from collections.abc import Iterator
from pathlib import Path

MEMORY_INFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")  # lines such as 4:memory:/slurm/job_7, 0::/user.slice
# Of a control group: limit, use, and what of the use files occupy that may be dropped.
GROUPS = {
    "": (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    "memory": (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}


def free_memory() -> int | None:
    """Return the bytes that are free on this machine, or in the groups that limit the process.

    Memory that holds copies of files counts as free: the system drops them when it is asked.

    Returns:
        None where the system does not say, which is everywhere but on Linux.

    Example:
        >>> free = free_memory()
        >>> free is None or free > 0
        True
    """
    try:
        table = dict(line.split(":", 1) for line in MEMORY_INFO.read_text().splitlines())
        free = int(table["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    rooms = [_room_of(folder, *names) for folder, *names in _groups()]
    return max(0, min([free, *(room for room in rooms if room is not None)]))


def _groups() -> Iterator[tuple[Path, str, str, str]]:
    """Yield the control groups that this process is in: its own, and all around it."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        lines = []
    paths = {
        controller: path for _, controllers, path in lines for controller in controllers.split(",")
    }

    for controller, (base, limit, used, cached) in GROUPS.items():
        folder = base / paths.get(controller, "/").strip("/")
        while folder != base:
            yield folder, limit, used, cached
            folder = folder.parent
        yield base, limit, used, cached


def _room_of(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """Return what a control group leaves free; None where there is none, or it has no limit."""
    try:
        most, now = (int((folder / name).read_text()) for name in (limit, used))
        table = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return most - now + int(table.get(cached, 0))
    except (OSError, ValueError):  # "max" is no number
        return None
