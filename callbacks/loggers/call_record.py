"""CallRecord: which command trained, with what, and how it ended."""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.common.run_metadata import git_state, package_versions
from lightning_tf.callbacks.loggers.best_values import BestValues
from lightning_tf.callbacks.loggers.whole_lines import whole_lines
from lightning_tf.checkpoint.io import machine
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

CALLS = "calls.jsonl"


class CallRecord:
    """Adds two lines to a run's folder for an entry point: one as it begins, one as it ends.

    ::

        {"event": "begin", "call": "9f2c...", "time": 1790000000.0, "entry_point": "fit",
         "task": "lightning_tf.tasks...", "command": ["train.py", "--lr", "0.1"], "packages": {...},
         "machine": {...}, "git": {"commit": "...", "branch": "main", "dirty": false},
         "modes": {"val/loss": "min"}}
        {"event": "end", "call": "9f2c...", "time": ..., "status": "success", "reason": ""}

    A call without a second line goes on, or its process was killed. `lightning-tf report` shows
    them.

    Args:
        trainer: That begins it.
        task: Of the entry point.
        entry_point: fit, validate, test or predict.

    Example:
        >>> record = CallRecord(trainer, task, "fit")
        >>> record.begin(Path("runs/version_0"))
        >>> record.end("success")
    """

    def __init__(self, trainer: Trainer, task: Task, entry_point: str) -> None:
        bests = BestValues()
        bests.learn_modes(trainer.callbacks)
        cls = type(task)
        self._call = uuid.uuid4().hex
        self._content: dict[str, Any] = {
            "time": round(time.time(), 3),
            "entry_point": entry_point,
            "task": f"{cls.__module__}.{cls.__qualname__}",
            "command": _command(),
            "modes": bests.modes,
        }
        self._path: Path | None = None
        self.reason = ""  # why it ends

    def begin(self, folder: Path) -> None:
        """Write the first line, once."""
        if self._path is None:
            self._path = folder / CALLS
            whole_lines(self._path)  # a killed process may have left a part of one
            metadata = {"packages": package_versions(), "machine": machine(), "git": git_state()}
            self._add("begin", {**self._content, **metadata})

    def end(self, status: str) -> None:
        """Write the second line, if there is a first."""
        if self._path is not None:
            now = round(time.time(), 3)
            self._add("end", {"time": now, "status": status, "reason": self.reason})
            self._path = None

    def _add(self, event: str, content: dict[str, Any]) -> None:
        if self._path is not None:
            line = json.dumps({"event": event, "call": self._call, **content}, default=str)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")


def _command() -> list[str]:
    """Return the words of the command line; of `python -m package`, as the package's command."""
    program = Path(sys.argv[0] if sys.argv else "")
    if program.name == "__main__.py":
        return [program.parent.name.replace("_", "-"), *sys.argv[1:]]
    in_reach = program.is_absolute() and os.access(program, os.X_OK)
    return [program.name if in_reach else str(program), *sys.argv[1:]]
