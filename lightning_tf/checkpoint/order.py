"""Which checkpoint is the newest: by run and step; by clocks only between runs."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

Known = tuple[str, Mapping[str, Any]]  # a checkpoint's path and its plain data


def newest_first(
    checkpoints: Iterable[Known], damaged: Mapping[str, float] | None = None
) -> list[str]:
    """Return the paths of checkpoints, the newest first.

    Within a run the later attempt is newer, then the later update, whatever the clocks of the
    machines said that wrote them: a run that went back to an earlier checkpoint goes on from there.
    A checkpoint that does not name its run is of the one that its folder stands for.

    Args:
        checkpoints: Path and plain data of each that can be read.
        damaged: By path, when those were written whose plain data nobody can read; each is taken
            for a run of its own.

    Example:
        >>> at = lambda step, time: {"progress": {"global_step": step}, "saved_at": time}
        >>> newest_first([("run/60.ckpt", at(60, 1000.0)), ("run/100.ckpt", at(100, 10.0))])
        ['run/100.ckpt', 'run/60.ckpt']
    """
    known = list(checkpoints)
    ended: dict[str, float] = {}  # when each run wrote last
    for path, run in known:
        key = _run_of(path, run)
        ended[key] = max(ended.get(key, 0.0), float(run["saved_at"]))

    ages: list[tuple[tuple[Any, ...], str]] = []
    for path, run in known:
        key = _run_of(path, run)
        ages.append(((ended[key], key, *_position(run), run["saved_at"]), path))
    ages += [((time,), path) for path, time in (damaged or {}).items()]
    return [path for _, path in sorted(ages, reverse=True)]


def _run_of(path: str, run: Mapping[str, Any]) -> str:
    return str(run.get("run_id") or os.path.dirname(os.path.abspath(path)))


def _position(run: Mapping[str, Any]) -> tuple[int, int, int]:
    at = run.get("progress") or run.get("stood_at") or {}
    return (
        int(run.get("attempt", 0)),
        int(at.get("global_step", 0)),
        int(at.get("total_batches", 0)),
    )
