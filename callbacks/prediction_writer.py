"""PredictionWriter: writes predictions to files."""

import csv
import os
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.checks import checked_choice, checked_path
from lightning_tf.prediction_columns import parts_of, value_columns
from lightning_tf.run.prediction_folder import prediction_folder
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

FORMATS = ("npz", "csv")
INTERVALS = ("batch", "end", "epoch", "batch_and_epoch")


class PredictionWriter(Callback):
    """Writes the predictions of `Trainer.predict`, in the order of the data.

    ``npz`` holds one array for each part of a prediction (``prediction`` for a plain tensor, keys
    of a dict, positions of a tuple, joined by dots). ``csv`` has a row for each example: its number
    in the whole prediction, a column for each of its values and, of a task that knows its classes,
    ``label`` and ``class``. A file appears under its name once
    it is whole. A prediction that ends early leaves the batches that are complete, and no file of
    the whole. Files of an earlier prediction are replaced.

    With ``csv``, and with ``npz`` by batches, memory holds one batch, unless `predict` is called
    with ``collect=True``. `Trainer.predict` runs at once where there is a PredictionWriter.

    Args:
        directory: Made where it is missing. None is ``predictions`` in the folder of the run that
            went before, or in the Trainer's `default_root_dir`.
        format: ``npz`` or ``csv``.
        interval: ``batch`` writes ``batch_00000.npz`` and so on; ``end``, or Lightning's ``epoch``,
            writes one file, ``predictions.npz``; ``batch_and_epoch`` writes both. Of several data
            sets the names tell which: ``predictions_clean.npz``, ``batch_clean_00000.npz``.

    Raises:
        ConfigurationError: The format or the interval is unknown.
        DataError: In prediction, parts have different numbers of examples.

    Attributes:
        files: The files of the last prediction.

    Example:
        >>> writer = PredictionWriter("predictions", format="csv")
        >>> Trainer(callbacks=[writer]).predict(task)  # at once: nobody needs to iterate
        >>> pandas.read_csv(writer.files[0])
    """

    logs_metrics = False
    consumes_predictions = True

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        format: str = "npz",
        interval: str = "end",
    ) -> None:
        self.format = checked_choice("PredictionWriter: format", format, FORMATS)
        self.interval = checked_choice("PredictionWriter: interval", interval, INTERVALS)
        name = "PredictionWriter: directory"
        self.directory = None if directory is None else Path(checked_path(name, directory))
        self.files: list[str] = []
        self._folder = Path()
        self._writes = True
        self._begin()

    def _begin(self) -> None:
        self._examples = 0
        self._labels: dict[str, Any] = {}  # of a batch
        self._parts: list[dict[str, np.ndarray]] = []
        self._open: TextIO | None = None
        self._set: str | None = None  # the data set that is written, where there are several

    # ---- hooks

    def on_predict_start(self, trainer: Trainer, task: Task) -> None:
        """Make the folder."""
        self.files = []
        self._begin()
        self._writes = trainer.is_global_zero  # every worker has all predictions
        self._folder = prediction_folder(trainer, self.directory)

    def on_predict_batch_end(
        self, trainer: Trainer, task: Task, outputs: Any, batch_idx: int
    ) -> None:
        """Write a batch, or keep it for the end."""
        if not self._writes:
            return

        if self._set != trainer.dataset_name:  # the one before is whole
            self._finish_whole()
            self._begin()
            self._set = trainer.dataset_name
        parts = parts_of(outputs)
        if self.format == "csv":
            self._labels = _labels_of(task, outputs)
        if self.interval in ("batch", "batch_and_epoch"):
            self._write(f"{self._named('batch')}_{batch_idx:05d}", parts)
        if self.interval != "batch" and self.format == "npz":
            # Arrays must be joined for one file; rows of a CSV file need not.
            self._parts.append(parts)
        elif self.interval != "batch":
            if self._open is None:
                path = self._part_path(self._named("predictions"))
                self._open = path.open("w", newline="", encoding="utf-8")
            _write_rows(self._open, parts, self._examples, self._labels)
        self._examples += _count(parts)

    def on_predict_end(self, trainer: Trainer, task: Task) -> None:
        """Write the file of the whole prediction."""
        self._finish_whole()
        self._begin()

        # After the files are whole: a logger may copy them at once.
        for path in self.files:
            trainer.log_file(Path(path).stem, path)

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Delete a file that is not whole: somebody stopped iterating."""
        self._drop()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Delete a file that is not whole."""
        self._drop()

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._part_path(self._named("predictions")).unlink()
        self._begin()

    # ---- files

    def _named(self, name: str) -> str:
        return name if self._set is None else f"{name}_{self._set}"

    def _finish_whole(self) -> None:
        """Write the file of all that was predicted, or of one of several data sets."""
        if self._open is not None:
            self._open.close()
            self._finish(self._named("predictions"))
        elif self._parts:
            names = self._parts[0]
            whole = {name: np.concatenate([part[name] for part in self._parts]) for name in names}
            self._write(self._named("predictions"), whole)

    def _part_path(self, name: str) -> Path:
        return self._folder / f".{name}.{self.format}.part"

    def _write(self, name: str, parts: dict[str, np.ndarray]) -> None:
        path = self._part_path(name)
        if self.format == "npz":
            with path.open("wb") as file:
                np.savez(file, allow_pickle=False, **parts)
        else:
            with path.open("w", newline="", encoding="utf-8") as text:
                _write_rows(text, parts, self._examples, self._labels)
        self._finish(name)

    def _finish(self, name: str) -> None:
        path = self._folder / f"{name}.{self.format}"
        os.replace(self._part_path(name), path)  # whole now: readers see all of it or nothing
        self.files.append(str(path))


def _count(parts: dict[str, np.ndarray]) -> int:
    return len(next(iter(parts.values())))


def _labels_of(task: Task, outputs: Any) -> dict[str, Any]:
    """Return the name and the number of each example's class, of a task that knows them."""
    count = len(tf.nest.flatten(outputs)[0])
    columns = task.prediction_columns(outputs, {"example": range(count)})
    named = ("label", "class") if "label" in columns else ()
    return {name: columns[name] for name in named if name in columns}


def _write_rows(
    file: TextIO, parts: dict[str, np.ndarray], first: int, labels: dict[str, Any]
) -> None:
    """Write a row for each example, and the header where the file is empty."""
    count = _count(parts)
    columns = {"example": np.arange(first, first + count), **value_columns(parts), **labels}

    writer = csv.writer(file)
    if file.tell() == 0:
        writer.writerow(columns)
    writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
