"""Peer: a process with PyTorch and Lightning that takes turns with the contenders of this one.

`make bench-peers` builds its environment. Without it, a benchmark leaves out its rows.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).parent
PYTHON = HERE / ".venv-peers/bin/python"
ABSENT = "Without PyTorch and Lightning: `make bench-peers` builds an environment with them."


class Peer:
    """Runs functions of `benchmarks/peers` in another process, one at a time.

    Args:
        python: The interpreter of an environment with torch and lightning.
    """

    def __init__(self, python: Path = PYTHON) -> None:
        program = [str(python), "-u", str(HERE / "peers/worker.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(program, text=True, **pipes)
        self.versions = self._answer()["versions"]

    def run(self, module: str, function: str, **options: Any) -> measure.Timing:
        """Run one contender and wait for it.

        Raises:
            RuntimeError: It failed; the message holds its traceback.
        """
        request = {"module": module, "function": function, "options": options}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self._answer()
        if "error" in answer:
            raise RuntimeError(f"{module}.{function} failed:\n{answer['error']}")
        return measure.Timing(measure.later_epoch(answer["starts"]), answer["whole"])

    def contender(self, module: str, function: str, **options: Any) -> Callable[[], measure.Timing]:
        """Return a contender for `measure.alternate`."""
        return partial(self.run, module, function, **options)

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peers' process ended with code {self.process.wait()}")
        return json.loads(line)


@contextmanager
def peer() -> Iterator[Peer | None]:
    """Yield the peers' process, or None where their environment is absent."""
    if not PYTHON.exists():
        print(ABSENT)
        yield None
        return
    process = Peer()
    try:
        yield process
    finally:
        process.close()


def note(process: Peer | None) -> str:
    """Return the peers' versions, or that they are absent."""
    return ABSENT if process is None else f"{process.versions}."
