"""What a process costs: wall and CPU seconds and peak memory, its own children's included.

Also a program: `measure_process` starts it between itself and the process that is measured. Linux
counts the memory of the process that starts another one as the other's until it is replaced, so a
benchmark that holds TensorFlow would be the floor of every peak below it. This one holds 10 MiB,
and imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessCost:
    """What a process has taken, and what it has printed.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: User and system seconds of it and of the descendants that were waited for.
        peak: Bytes of resident memory at the peak of the largest of these processes.
        output: What it wrote to its standard output.
    """

    wall: float
    cpu: float
    peak: int
    output: str


def measure_process(
    command: Sequence[str | os.PathLike[str]],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> ProcessCost:
    """Run a process in a folder, with additions to the environment, and return what it cost.

    Raises:
        RuntimeError: It failed; the message holds the end of what it wrote to its standard error.
    """
    launcher = [sys.executable, "-S", __file__, *command]
    done = subprocess.run(
        launcher,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shown = " ".join(map(str, command))
        raise RuntimeError(f"{shown} ended with code {done.returncode}:\n{done.stderr[-3000:]}")
    output, _, figures = done.stdout.rstrip("\n").rpartition("\n")
    return ProcessCost(**json.loads(figures), output=output)


def main() -> None:
    start = time.perf_counter()
    code = subprocess.run(sys.argv[1:]).returncode
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    figures = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * unit}
    print("\n" + json.dumps(figures))
    sys.exit(code if code >= 0 else 128 - code)  # a signal as shells tell it


if __name__ == "__main__":
    main()
