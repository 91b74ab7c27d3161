"""CSVLogger: a run as plain files in a folder."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_tf.callbacks.loggers.call_record import CALLS, CallRecord
from lightning_tf.callbacks.loggers.csv_table import CSVTable
from lightning_tf.callbacks.loggers.curves import draw_curves
from lightning_tf.callbacks.loggers.folder_logger import FolderLogger
from lightning_tf.callbacks.loggers.run_folder import RunFolder
from lightning_tf.checks import checked_cells, checked_row
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

METRICS, HPARAMS, CURVES, FILES = "metrics.csv", "hparams.json", "curves.png", "files.csv"
SUPERSEDED = "superseded.csv"


class CSVLogger(FolderLogger):
    """Writes a run into a folder of its own, with nothing but files that any program reads.

    The folder is ``<root>/<name>/version_<n>``, by default ``<default_root_dir>/runs/version_<n>``
    with the first n that is free::

        metrics.csv            a row for each step; columns such as train/loss, val/loss
        hparams.json           the task's hyperparameters and the Trainer's settings
        calls.jsonl            the command, versions, commit and end of each entry point
        curves.png             every metric over the updates, drawn when fit ends
        images/<name>_<step>.png    a grid for each log_images
        figures/<name>_<step>.png   from log_figure
        tables/<name>_<step>.csv    from log_table
        texts/<name>_<step>.txt     from log_text
        files.csv              name, step and path of each log_file

    A Trainer's later entry points with the same task continue in the same folder; another task gets
    the next version. Loggers of different kinds with the same root and name share the folder. A run
    that is resumed from a checkpoint, also in another process, continues in its folder; rows of
    updates that it repeats move from metrics.csv to superseded.csv. Rows are collected in memory
    and written every `flush_every_n_steps` updates, at every validation, before every checkpoint
    and at the end, whatever the end is.

    Args:
        root: Holds the versions; ``runs`` in the Trainer's `default_root_dir` where it is None.
        name: A folder between root and version, for runs that belong together.
        version: A number n for ``version_<n>``, or the folder's own name; the next free number
            where it is None.
        flush_every_n_steps: How many updates' rows a killed process can lose.
        curves: Whether to draw them.
        resume: Continue in the folder of `version`, or in the newest, also without a checkpoint.

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
        folder = RunFolder("CSVLogger", root, name, version, resume, taken_by=METRICS)
        super().__init__(folder, flush_every_n_steps)
        self.curves = curves
        self._written_folder: Path | None = None  # where hyperparameters have been written
        self._table: CSVTable | None = None
        self._hparams: dict[str, Any] = {}
        self._call: CallRecord | None = None

    # ---- the folder

    def setup(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Choose the folder; it is made when something is written."""
        super().setup(trainer, task, stage)
        self._call = CallRecord(trainer, task, stage) if self._enabled else None

    def _start_run(self) -> None:
        self._table = self._written_folder = None

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Move the rows that a resumed run measures again to another file."""
        folder = self.folder.path
        if trainer.resumed and self._enabled and folder and (folder / METRICS).exists():
            self._rows().drop_after(trainer.global_step, folder / SUPERSEDED)
            self._saved_step = trainer.global_step

    def on_fit_end(self, trainer: Trainer, task: Task) -> None:
        """Note who asked for the end, if anybody did."""
        if self._call is not None:
            self._call.reason = trainer.stop_reason

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Note what ends the run."""
        if self._call is not None:
            self._call.reason = f"{type(exception).__name__}: {exception}"

    def _make_folder(self) -> Path:
        """Return the folder, made and with its hyperparameters."""
        folder = self.folder.make()
        if self._written_folder != folder:
            # Once: later entry points keep what the first wrote.
            self._written_folder = folder
            text = json.dumps(self._hparams, indent=2, default=str)
            (folder / HPARAMS).write_text(text + "\n", encoding="utf-8")
        if self._call is not None:
            self._call.begin(folder)
        return folder

    def _rows(self) -> CSVTable:
        if self._table is None:
            self._table = CSVTable(self._make_folder() / METRICS, ("epoch",))
        return self._table

    def _path(self, kind: str, name: str, step: int, suffix: str = ".png") -> Path:
        self._make_folder()
        return super()._path(kind, name, step, suffix)

    # ---- what a run reports

    def log_hparams(self, hparams: dict[str, Any]) -> None:
        """Write them at once in fit, which also claims the folder; else with the first row."""
        self._hparams = hparams
        if self._enabled and self._stage == "fit":
            self._make_folder()

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        """Add a row, and save the rows when they are due."""
        if not self._enabled:
            return

        metrics, table = checked_row(metrics), self._rows()
        # A row may come in parts; its epoch is that of the first.
        if table.last_step == step:
            metrics = {name: value for name, value in metrics.items() if name != "epoch"}
        table.add(step, metrics)
        self._save_when_due(metrics, step)

    def log_table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        """Write a table as CSV."""
        if self._enabled:
            rows = checked_cells(name, columns, rows)
            path = self._path("tables", name, step, ".csv")
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([columns, *rows])

    def log_text(self, name: str, text: str, step: int) -> None:
        """Write a text as a file."""
        if self._enabled:
            self._path("texts", name, step, ".txt").write_text(text, "utf-8")

    def log_file(self, name: str, path: str, step: int) -> None:
        """Write where the file stands."""
        if self._enabled:
            path_list = self._make_folder() / FILES
            is_new = not path_list.exists()
            with path_list.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                if is_new:
                    writer.writerow(["name", "step", "path"])
                writer.writerow([name, step, os.path.abspath(path)])

    def save(self) -> None:
        """Write the rows that were collected."""
        if self._table is not None:
            self._table.flush()

    def finalize(self, status: str) -> None:
        """Write the last rows, and in fit the curves; delete the folder of a run without rows."""
        if not self._enabled or self._written_folder is None:
            return

        if self._call is not None:
            # A later entry point adds to a folder that stands already.
            self._call.begin(self._written_folder)
            self._call.end(status)
        if self._table is not None:
            self._table.flush()
            if self.curves and self._stage == "fit":
                draw_curves(self._written_folder / METRICS, self._written_folder / CURVES)
        # A run that failed before its first row should not use up a number.
        elif status != "success":
            self.folder.remove_if_only(HPARAMS, CALLS)
            self._written_folder = None
