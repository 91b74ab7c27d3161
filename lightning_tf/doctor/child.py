"""run_child: a function of this room in a process of its own, which may crash or hang."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KILLED_SECONDS = 5.0  # to read what a killed process has said


@dataclass(frozen=True)
class ChildResult:
    """What came of a child.

    Attributes:
        value: What it printed as JSON in its last line; empty where it failed.
        trouble: How it failed, in words; empty where it did not.
        said: Its standard error.
    """

    value: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    said: str = ""


def run_child(
    module: str,
    seconds: float,
    arguments: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> ChildResult:
    """Call ``main`` of a module in a process with this one's search path.

    Args:
        module: Its import path; ``main`` takes `arguments` and returns what JSON can hold.
        seconds: After which it is killed, and all that it started.
        arguments: By name, what JSON can hold.
        environment: Such as ``os.environ``, which it is where None.
    """
    call = (
        f"import json, sys; sys.path[:] = {sys.path!r}; from {module} import main; "
        f"print('\\n' + json.dumps(main(**json.loads({json.dumps(dict(arguments or {}))!r}))))"
    )
    # Not in a `with`, whose end waits for ever for a child that is stuck in the kernel.
    process = subprocess.Popen(
        [sys.executable, "-c", call],
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        said = _killed(process)
        return ChildResult(trouble=f"did not end within {seconds:.0f} s", said=said)
    except BaseException:  # Ctrl-C goes to this process alone
        _killed(process)
        raise

    if process.returncode:
        return ChildResult(trouble=_end(process.returncode, said), said=said)
    return ChildResult(value=json.loads(out.strip().splitlines()[-1]), said=said)


def _killed(process: subprocess.Popen[str]) -> str:
    os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=KILLED_SECONDS)[1]
    except subprocess.TimeoutExpired:  # it waits in the kernel, for a disk or a driver
        process.poll()  # or has ended, and what left its group holds the pipes
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return ""


def _end(code: int, said: str) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"ended with exit code {code}: {lines[-1] if lines else 'it said nothing'}"
