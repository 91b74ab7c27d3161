"""CSVLogger: a run as plain files in a folder."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_tf.callbacks.csv_table import CSVTable
from lightning_tf.callbacks.curves import draw_curves
from lightning_tf.callbacks.picture_sheet import picture_sheet
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger

if TYPE_CHECKING:
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

METRICS, HPARAMS, CURVES, FILES = "metrics.csv", "hparams.json", "curves.png", "files.csv"
SUPERSEDED = "superseded.csv"
VERSION = re.compile(r"version_(\d+)")


class CSVLogger(Logger):
    """Writes a run into a folder of its own, with nothing but files that any program reads.

    The folder is ``<root>/<name>/version_<n>``, by default ``<default_root_dir>/runs/version_<n>``
    with the first n that is free::

        metrics.csv            a row for each step; columns such as train/loss, val/loss
        hparams.json           the task's hyperparameters and the Trainer's settings
        curves.png             every metric over the updates, drawn when fit ends
        images/<name>_<step>.png    a sheet for each log_images
        figures/<name>_<step>.png   from log_figure
        tables/<name>_<step>.csv    from log_table
        files.csv              name, step and path of what log_file was given

    A Trainer's later entry points with the same task go on in the same folder; another task gets
    the next version. A run that is resumed from a checkpoint, also in another process, goes on in
    its folder; rows of updates that it does again move from metrics.csv to superseded.csv. Rows are
    kept in memory and written every `flush_every_n_steps` updates, at every validation, before
    every checkpoint and at the end, whatever the end is.

    Args:
        root: Holds the versions; ``runs`` in the Trainer's `default_root_dir` where it is None.
        name: A folder between root and version, for runs that belong together.
        version: A number n for ``version_<n>``, or the folder's own name; the next free number
            where it is None.
        flush_every_n_steps: The most updates whose rows a killed process can lose.
        curves: Whether to draw them.
        resume: Go on in the folder of `version`, or in the newest one, without a checkpoint too.

    Raises:
        ConfigurationError: `flush_every_n_steps` is below 1; or, when a run begins, the folder of
            `version` holds a run and `resume` is False.

    Example:
        >>> trainer = Trainer(max_epochs=3, logger=CSVLogger("experiments", name="digits"))
        >>> trainer.fit(task)
        >>> pandas.read_csv(f"{trainer.log_dir}/metrics.csv").plot("step", "val/loss")
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
        if flush_every_n_steps < 1:
            raise ConfigurationError(
                f"CSVLogger(flush_every_n_steps={flush_every_n_steps!r}): give at least 1."
            )
        self.root = None if root is None else Path(root)
        self.version = version
        self.flush_every_n_steps = flush_every_n_steps
        self.curves, self.resume = curves, resume
        self._name = name
        self._task: weakref.ref[Task] | None = None
        self._folder: Path | None = None
        self._made = self._goes_on = False
        self._continued: Path | None = None
        self._table: CSVTable | None = None
        self._hparams: dict[str, Any] = {}
        self._stage = ""
        self._flushed_step = 0
        self._enabled = True

    @property
    def name(self) -> str:
        """The folder between root and version, or the class's name."""
        return self._name or type(self).__name__

    @property
    def log_dir(self) -> str | None:
        """The run's folder; None before the first run."""
        return None if self._folder is None else str(self._folder)

    @property
    def run_id(self) -> str | None:
        """The run's folder."""
        return self.log_dir

    def run_folders(self, trainer: Trainer) -> list[str]:
        """Every version that there is."""
        parent = self._parent(trainer)
        names = os.listdir(parent) if parent.is_dir() else []
        return [str(parent / name) for name in names if (parent / name).is_dir()]

    def continue_run(self, run_id: str) -> None:
        """Go on in an earlier process's folder, where it is one that this logger would make."""
        self._continued = Path(run_id)

    # ---- the folder

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the folder; it is made when the first thing is written."""
        self._stage, self._enabled = stage, trainer.is_global_zero
        if self._folder is not None and self._task is not None and self._task() is task:
            return
        self._task, self._table, self._made = weakref.ref(task), None, False
        self._folder = self._choose(self._parent(trainer))

    def _parent(self, trainer: Trainer) -> Path:
        root = self.root or Path(trainer.default_root_dir) / "runs"
        return root / self._name if self._name else root

    def _choose(self, parent: Path) -> Path:
        self._goes_on = self.resume
        before, self._continued = self._continued, None
        if before is not None and before.is_dir() and before.parent.resolve() == parent.resolve():
            name = f"version_{self.version}" if isinstance(self.version, int) else self.version
            if name in (None, before.name):
                self._goes_on = True
                return parent / before.name
        if self.version is None:
            newest = _newest_version(parent)
            return parent / f"version_{newest if self.resume and newest >= 0 else newest + 1}"
        name = f"version_{self.version}" if isinstance(self.version, int) else self.version
        folder = parent / name
        if (folder / METRICS).exists() and not self.resume:
            raise ConfigurationError(
                f"CSVLogger(version={self.version!r}): {folder} holds a run already; give another "
                "version, or resume=True to go on with it."
            )
        return folder

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Move the rows that a resumed run measures again out of the way."""
        if trainer.resumed and self._enabled and self._folder and (self._folder / METRICS).exists():
            self._rows().drop_after(trainer.global_step, self._folder / SUPERSEDED)
            self._flushed_step = trainer.global_step

    def _made_folder(self) -> Path:
        """The folder, made and with its hyperparameters."""
        if self._folder is None:
            raise ConfigurationError("CSVLogger has no folder before a Trainer runs with it.")
        if not self._made:
            numbered = self.version is None and not self._goes_on
            while True:
                try:
                    self._folder.mkdir(parents=True, exist_ok=not numbered)
                    break
                except FileExistsError:  # another process was faster
                    parent = self._folder.parent
                    self._folder = parent / f"version_{_newest_version(parent) + 1}"
            self._made = True
            text = json.dumps(self._hparams, indent=2, default=str)
            (self._folder / HPARAMS).write_text(text + "\n", encoding="utf-8")
        return self._folder

    def _rows(self) -> CSVTable:
        if self._table is None:
            self._table = CSVTable(self._made_folder() / METRICS, ("epoch",))
        return self._table

    def _path(self, kind: str, name: str, step: int, suffix: str) -> Path:
        folder = self._made_folder() / kind
        folder.mkdir(exist_ok=True)
        plain = re.sub(r"[^\w.-]+", "_", name)
        return folder / f"{plain}_{step:08d}{suffix}"

    # ---- what a run reports

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Write them at once in fit, which also claims the folder; else with the first row."""
        self._hparams = hparams
        if self._enabled and self._stage == "fit":
            self._made_folder()

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Keep a row, and write what is kept where it is time or a validation has ended."""
        if not self._enabled:
            return
        table = self._rows()
        if table.last_step == step:  # the epoch of the row's first part is the row's
            metrics = {name: value for name, value in metrics.items() if name != "epoch"}
        table.add(step, metrics)
        waited = step - self._flushed_step
        if waited >= self.flush_every_n_steps or any(name.startswith("val/") for name in metrics):
            table.flush()
            self._flushed_step = step

    def log_images(
        self, name: str, images: np.ndarray, step: int, captions: Sequence[str] | None = None
    ) -> None:
        """Write one sheet with all pictures and their captions."""
        if self._enabled:
            picture_sheet(images, captions).save(self._path("images", name, step, ".png"))

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Write it as CSV."""
        if self._enabled:
            path = self._path("tables", name, step, ".csv")
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([columns, *rows])

    def log_figure(self, name: str, figure: Any, step: int) -> None:
        """Write it as PNG."""
        if self._enabled:
            path = self._path("figures", name, step, ".png")
            figure.savefig(path, dpi=120, bbox_inches="tight")

    def log_file(self, name: str, path: str, step: int) -> None:
        """Note where the file stands."""
        if self._enabled:
            notes = self._made_folder() / FILES
            fresh = not notes.exists()
            with notes.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                if fresh:
                    writer.writerow(["name", "step", "path"])
                writer.writerow([name, step, os.path.abspath(path)])

    def save(self) -> None:
        """Write the rows that are kept."""
        if self._table is not None:
            self._table.flush()

    def finalize(self, status: str) -> None:
        """Write the last rows, and in fit the curves; a run that left nothing leaves no folder."""
        if not self._enabled or not self._made or self._folder is None:
            return
        if self._table is not None:
            self._table.flush()
            if self.curves and self._stage == "fit":
                draw_curves(self._folder / METRICS, self._folder / CURVES)
        elif status != "success" and os.listdir(self._folder) == [HPARAMS]:
            (self._folder / HPARAMS).unlink()
            with contextlib.suppress(OSError):
                self._folder.rmdir()
            self._folder, self._made = None, False


def _newest_version(parent: Path) -> int:
    """The highest number of a version, -1 where there is none."""
    names = os.listdir(parent) if parent.is_dir() else []
    found = [int(match[1]) for name in names if (match := VERSION.fullmatch(name))]
    return max(found, default=-1)
