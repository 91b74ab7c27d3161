"""RunRecord: what a run's folder tells."""

import csv
import io
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.run_report.inside_folder import inside_folder, list_folder, read_text
from lightning_tf.run_report.rows import Rows, whole_json_lines

METRICS, LINES, CALLS = "metrics.csv", "log.jsonl", "calls.jsonl"
HPARAMS, CONFIG, FILES = "hparams.json", "config.yaml", "files.csv"
OF_A_FILE = ("name", "step", "path")
OF_A_RUN = (METRICS, LINES, CALLS, HPARAMS, CONFIG)
SUPERSEDED = ("superseded.csv", "superseded.jsonl")
CHECKPOINT = "run.json"  # in a checkpoint's folder


class RunRecord:
    """A run as its loggers have left it, whether it has ended, goes on or was killed.

    Args:
        folder: Of the run.

    Attributes:
        notes: What is missing or could not be read, a sentence each.

    Raises:
        ConfigurationError: It is no run's folder.

    Example:
        >>> RunRecord("runs/version_0").rows[-1].values["val/loss"]
        0.1156
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        _check(self.folder)
        self.notes: list[str] = []
        self.lines = self._read_lines(LINES)
        self.calls = self._read_lines(CALLS)

        text = read_text(self.folder, METRICS)
        rows = Rows.from_lines(self.lines) if text is None else Rows.from_csv(text)
        self.rows = rows.rows
        self.notes += rows.notes
        if not self.rows:
            self.notes.append("No metrics have been logged yet.")
        if any(inside_folder(self.folder, name) for name in SUPERSEDED):
            self.notes.append(
                "The run was resumed; rows of updates that it repeated are in "
                f"{' and '.join(SUPERSEDED)}, not here."
            )

    # ---- what was asked for

    @cached_property
    def hparams(self) -> dict[str, Any]:
        """The task's hyperparameters, and the Trainer's settings as ``trainer``."""
        text = read_text(self.folder, HPARAMS)
        if text is not None:
            try:
                content = json.loads(text)
                if isinstance(content, dict):
                    return content
            except (RecursionError, ValueError):
                pass
            self.notes.append(f"{HPARAMS} is no JSON object and is left out.")
        logged = [line.get("hparams") for line in self.lines if line.get("kind") == "hparams"]
        return next((each for each in reversed(logged) if isinstance(each, dict)), {})

    @cached_property
    def task(self) -> str:
        """The class of the task, empty where nothing tells."""
        for source in (*reversed(self.calls), self.checkpoint):
            if isinstance(source.get("task"), str):
                return str(source["task"])

        # The file is YAML, but as the command line writes it one line tells; a parser takes longer.
        match = re.search(r"^  class_path: (\S+)$", read_text(self.folder, CONFIG) or "", re.M)
        return match[1] if match else ""

    @property
    def has_config(self) -> bool:
        """Whether the command line can train it again."""
        return inside_folder(self.folder, CONFIG) is not None

    # ---- how it went

    @property
    def begins(self) -> list[dict[str, Any]]:
        """The entry points that began, of which the command line, versions and git are known."""
        return [line for line in self.calls if line.get("event") == "begin"]

    @cached_property
    def checkpoint(self) -> dict[str, Any]:
        """What the newest checkpoint says of the run; empty where there is none."""
        found: list[tuple[float, dict[str, Any]]] = []
        for folder in list_folder(self.folder, "checkpoints"):
            try:
                text = read_text(self.folder, Path("checkpoints") / folder.name / CHECKPOINT)
                content = json.loads(text or "")
                if isinstance(content, dict):
                    found.append((folder.stat().st_mtime, content))
            except (OSError, RecursionError, ValueError):  # a run deletes its older ones
                continue
        return max(found, key=lambda pair: pair[0])[1] if found else {}

    def end_of(self, begin: dict[str, Any]) -> dict[str, Any] | None:
        """Return how an entry point ended; None where it goes on or its process was killed."""
        after = self.calls[self.calls.index(begin) + 1 :]
        for line in after:
            if line.get("call") == begin.get("call") and line.get("event") == "end":
                return line
        return None

    @property
    def status(self) -> str:
        """How the run stands, in words."""
        fits = [begin for begin in self.begins if begin.get("entry_point") == "fit"]
        known = fits or self.begins
        if known:
            end = self.end_of(known[-1])
            return "no end on record: going on, or killed" if end is None else _words(end)
        ends = [line for line in self.lines if line.get("kind") == "end"]
        if ends:
            return str(ends[-1].get("status", "unknown"))
        return "unknown"

    @cached_property
    def modes(self) -> dict[str, str]:
        """``min`` or ``max`` of the metrics that callbacks monitored."""
        modes: dict[str, str] = {}
        for begin in self.begins:
            told = begin.get("modes")
            modes.update(told if isinstance(told, dict) else {})
        return {name: mode for name, mode in modes.items() if mode in ("min", "max")}

    @cached_property
    def files(self) -> list[tuple[str, str, str]]:
        """Name, step and path of every file that was logged, from the folder if it stands there."""
        text = read_text(self.folder, FILES)
        if text is None:
            lines = [line for line in self.lines if line.get("kind") == "file"]
            found = [[str(line.get(key, "")) for key in OF_A_FILE] for line in lines]
        else:
            try:
                found = list(csv.reader(io.StringIO(text, newline="")))[1:]
            except csv.Error:
                found = []
        return [(row[0], row[1], self._from_here(row[2])) for row in found if len(row) == 3]

    def _from_here(self, path: str) -> str:
        """Return a path from the folder, also where the folder has been moved since."""
        folder = self.folder.resolve()
        parts = Path(path).parts
        if folder.name in parts[:-1]:
            inner = Path(*parts[parts.index(folder.name) + 1 :])
            if inside_folder(self.folder, inner):
                return inner.as_posix()
        return path

    def _read_lines(self, name: str) -> list[dict[str, Any]]:
        lines, broken = whole_json_lines(read_text(self.folder, name) or "")
        if broken:
            self.notes.append(f"{broken} lines of {name} are no JSON and are left out.")
        return lines


def _words(end: dict[str, Any]) -> str:
    status, reason = str(end.get("status", "unknown")), end.get("reason")
    return f"{status}: {reason}" if reason else status


def _check(folder: Path) -> None:
    if any(inside_folder(folder, name) for name in OF_A_RUN):
        return
    if not folder.exists():
        raise ConfigurationError(
            f"{folder}: there is no such folder; give the folder of a run, such as runs/version_0."
        )
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder} is a file; give the folder of a run, such as runs/version_0."
        )
    runs = [
        str(path)
        for path in sorted((*folder.glob("*/"), *folder.glob("runs/*/")))
        if any((path / name).is_file() for name in OF_A_RUN)
    ]
    hint = f"; it holds runs, give one or several of {', '.join(runs[:8])}" if runs else ""
    raise ConfigurationError(
        f"{folder} is no folder of a run: it has none of {', '.join(OF_A_RUN)}, which a CSVLogger "
        f"or JSONLinesLogger writes{hint}."
    )
