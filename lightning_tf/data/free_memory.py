"""free_memory: how much memory this process may still take."""

from pathlib import Path

MEMORY_INFO = Path("/proc/meminfo")
# Of a container: limit, use, and what of the use files occupy that may be dropped.
GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def free_memory() -> int | None:
    """Return the bytes that are free on this machine, or in the container that limits the process.

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
    rooms = [_room_of(*group) for group in GROUPS]
    return max(0, min([free, *(room for room in rooms if room is not None)]))


def _room_of(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """Return what a control group leaves free; None where there is none, or it has no limit."""
    try:
        most, now = (int((folder / name).read_text()) for name in (limit, used))
        table = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return most - now + int(table.get(cached, 0))
    except (OSError, ValueError):  # "max" is no number
        return None
