"""JSONLinesLogger: a run as one file with a line of JSON for everything that it logs."""

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.callbacks.loggers.csv_logger import CURVES, METRICS
from lightning_tf.callbacks.loggers.curves import draw_curves
from lightning_tf.callbacks.loggers.folder_logger import FolderLogger
from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.callbacks.loggers.whole_lines import whole_lines
from lightning_tf.checks import checked_cells, checked_row
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

LINES, SUPERSEDED = "log.jsonl", "superseded.jsonl"


class JSONLinesLogger(FolderLogger):
    """Appends a line of JSON for each thing that is logged, in order, to ``log.jsonl``.

    ::

        {"kind": "hparams", "time": 1790000000.0, "hparams": {...}}
        {"kind": "metrics", "time": ..., "step": 50, "train/loss": 0.5, "epoch": 0}
        {"kind": "table", "time": ..., "step": 50, "name": "...", "columns": [...], "rows": [...]}
        {"kind": "images", "time": ..., "step": 50, "name": "...",
         "path": "images/..._00000050.png", "captions": [...]}
        {"kind": "figure", "time": ..., "step": 50, "name": "...", "path": "figures/..."}
        {"kind": "text", "time": ..., "step": 50, "name": "...", "text": "..."}
        {"kind": "file", "time": ..., "step": 50, "name": "...", "path": "..."}
        {"kind": "end", "time": ..., "status": "success"}

    NaN and infinity, which JSON lacks, are the strings "nan", "inf" and "-inf", which Python's
    `float` reads. One step may have several lines. Images and figures are PNG files beside the
    file of lines.

    The folder is that of `CSVLogger`, shared with every logger of the same root and name. A run
    that is resumed from a checkpoint continues in its file; the lines that came after the
    checkpoint move to ``superseded.jsonl``, so that none is missing and none is there twice. A line
    that a killed process did not finish is dropped. Lines are collected in memory and written every
    `flush_every_n_steps` updates, at every validation, before every checkpoint and at the end,
    whatever the end is.

    Args:
        root: See `CSVLogger`.
        name: See `CSVLogger`.
        version: See `CSVLogger`.
        flush_every_n_steps: How many updates' lines a killed process can lose.
        curves: Whether to draw every metric over the updates as ``curves.png`` when fit ends; a
            `CSVLogger` of the same folder draws them instead.
        resume: See `CSVLogger`.

    Raises:
        ConfigurationError: `flush_every_n_steps` is below 1; or, when a run begins, the folder of
            `version` holds a run and `resume` is False.

    Example:
        >>> trainer = Trainer(max_epochs=3, logger=JSONLinesLogger("experiments", name="digits"))
        >>> trainer.fit(task)
        >>> pandas.read_json(f"{trainer.log_dir}/log.jsonl", lines=True)
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        name: str | None = None,
        version: int | str | None = None,
        flush_every_n_steps: int = 100,
        curves: bool = True,
        resume: bool = False,
    ) -> None:
        folder = RunFolder("JSONLinesLogger", root, name, version, resume, taken_by=LINES)
        super().__init__(folder, flush_every_n_steps)
        self.curves = curves
        self._lines: list[str] = []
        self._file: Path | None = None  # set once it is known to end with a whole line
        self._count = 0  # lines of the file
        self._count_before_fit = 0
        self._resumed_at: int | None = None  # the number of lines that the checkpoint knows

    def state_dict(self) -> dict[str, Any]:
        """Return how many lines the file has; every checkpoint is written after `save`."""
        return {"lines": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore how many lines came before the checkpoint."""
        self._resumed_at = state["lines"]

    # ---- the file

    def _start_run(self) -> None:
        self._file, self._lines, self._count = None, [], 0

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Move the lines that a resumed run writes again to another file."""
        resumed_at, self._resumed_at = self._resumed_at, None
        if trainer.resumed and self._enabled and self._file is not None:
            self._drop(trainer.global_step, resumed_at)
            self._saved_step = trainer.global_step

    def _drop(self, step: int, resumed_at: int | None) -> None:
        """Keep what came before the checkpoint and what came since fit began; move the rest.

        Args:
            step: The update of the checkpoint.
            resumed_at: The number of lines that the checkpoint knows; None where it knows none.
        """
        path = self.folder.make() / LINES
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        old, new = lines[: self._count_before_fit], lines[self._count_before_fit :]
        # Lines of the checkpoint's own update may have come before it or after it: only their
        # number tells.
        if resumed_at is None:  # the run that wrote the checkpoint had no such logger
            is_later = [json.loads(line).get("step", -1) > step for line in old]
        else:
            is_later = [index >= resumed_at for index in range(len(old))]
        if not any(is_later):
            return

        pairs = list(zip(old, is_later, strict=True))
        remaining = [line for line, later in pairs if not later] + new
        with (path.parent / SUPERSEDED).open("a", encoding="utf-8") as file:
            file.writelines(line for line, later in pairs if later)
        # Renamed when whole: a process that is killed meanwhile loses no line.
        beside = path.with_name(f".{path.name}.part")
        beside.write_text("".join(remaining), encoding="utf-8")
        os.replace(beside, path)
        self._count = len(remaining)

    def _add(self, kind: str, step: int | None, content: dict[str, Any]) -> None:
        if not self._enabled:
            return
        position = {} if step is None else {"step": step}
        line = {"kind": kind, "time": round(time.time(), 3), **position, **content}
        self._lines.append(json.dumps(_plain(line), allow_nan=False))

    def save(self) -> None:
        """Write the lines that were collected."""
        if not self._lines:
            return

        if self._file is None:
            self._file = self.folder.make() / LINES
            self._count = whole_lines(self._file).count(b"\n")
        with self._file.open("a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in self._lines))
        self._count += len(self._lines)
        self._lines.clear()

    def finalize(self, status: str) -> None:
        """Write the last lines, and in fit the curves; no file if there are no lines."""
        # Hyperparameters alone are no reason for a file.
        logged = any('"kind": "hparams"' not in line for line in self._lines)
        if self._enabled and self.folder.path and (logged or self._stage == "fit"):
            self._add("end", None, {"status": status})
            self.save()
            folder = self.folder.make()
            if self.curves and self._stage == "fit" and not (folder / METRICS).exists():
                draw_curves(folder / LINES, folder / CURVES)
        self._lines.clear()

    # ---- what a run reports

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Write them at once in fit, which also claims the folder; else with the next lines."""
        self.save()
        self._add("hparams", None, {"hparams": hparams})
        if self._stage == "fit":
            self.save()
            # The line just written belongs to this fit.
            self._count_before_fit = self._count - 1

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add a row, and save the lines when they are due."""
        self._add("metrics", step, checked_row(metrics))
        self._save_when_due(metrics, step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Write a table into its line."""
        content = {"columns": list(columns), "rows": checked_cells(name, columns, rows)}
        self._add("table", step, {"name": name, **content})

    def log_text(self, name: str, text: str, step: int) -> None:
        """Write a text into its line."""
        self._add("text", step, {"name": name, "text": text})

    def log_file(self, name: str, path: str, step: int) -> None:
        """Write a line with the file's path."""
        self._add("file", step, {"name": name, "path": os.path.abspath(path)})

    def _note_file(self, kind: str, name: str, step: int, path: Path, **content: Any) -> None:
        """Write a line with the file's path."""
        relative = path.relative_to(self.folder.make()).as_posix()
        self._add(kind, step, {"name": name, "path": relative, **content})


def _plain(value: Any) -> Any:
    """Return a value as types that JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
