"""ForecastWriter: writes forecasts to a table, each row with its series and time."""

import csv
import os
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lightning_tf.callback import Callback
from lightning_tf.exceptions import DataError
from lightning_tf.run.prediction_folder import prediction_folder, refuse_several_sets
from lightning_tf.trainer import Trainer

NAME = "predictions"


class ForecastWriter(Callback):
    """Writes the forecasts of `Trainer.predict` as CSV: a row for each window and step.

    Columns are ``series`` (where there are several), the time column, ``step`` (1 is the row after
    the window), and the targets, with quantiles one column for each. The file appears under its
    name once it is whole; one of an earlier prediction is replaced.

    Args:
        directory: Made where it is missing. None is ``predictions`` in the folder of the run that
            went before, or in the Trainer's `default_root_dir`.

    Raises:
        DataError: In prediction, the task has no data of its own to take times from.

    Attributes:
        files: The file of the last prediction.

    Example:
        >>> writer = task.prediction_writer("forecasts", "csv")
        >>> Trainer(callbacks=[writer]).predict(task)  # at once: nobody needs to iterate
        >>> pd.read_csv(writer.files[0])
    """

    logs_metrics = False
    consumes_predictions = True

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = directory
        self.files: list[str] = []
        self._path = Path()
        self._open: TextIO | None = None
        self._count = 0

    def on_predict_start(self, trainer: Trainer, task: Any) -> None:
        """Open the file."""
        self.files, self._count = [], 0
        if task.data is None:
            raise DataError("data is None: forecasts have no times; give the task its data.")
        folder = prediction_folder(trainer, self.directory)
        if not trainer.is_global_zero:  # every worker has all predictions
            return

        self._path = folder / f".{NAME}.csv.part"
        self._open = self._path.open("w", newline="", encoding="utf-8")
        csv.writer(self._open).writerow(_header(task))

    def on_predict_batch_end(
        self, trainer: Trainer, task: Any, outputs: Any, batch_idx: int
    ) -> None:
        """Write the forecasts of a batch."""
        refuse_several_sets(trainer, "ForecastWriter")
        if self._open is None:
            return
        forecasts = np.asarray(outputs)  # (windows, horizon, targets, ...)
        splits = task.data.splits
        origins = splits["predict" if "predict" in splits else "test"].indices
        origins = origins[self._count : self._count + len(forecasts)]
        self._count += len(forecasts)
        csv.writer(self._open).writerows(_rows(task, origins, forecasts))

    def on_predict_end(self, trainer: Trainer, task: Any) -> None:
        """Give the file its name."""
        if self._open is None:
            return
        self._open.close()
        self._open = None
        path = self._path.with_name(f"{NAME}.csv")
        os.replace(self._path, path)  # whole now: readers see all of it or nothing
        self.files = [str(path)]
        trainer.log_file(NAME, str(path))

    def teardown(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Delete a file that is not whole: somebody stopped iterating."""
        self._drop()

    def on_exception(self, trainer: Trainer, task: Any, exception: BaseException) -> None:
        """Delete a file that is not whole."""
        self._drop()

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
            self._path.unlink()


def _header(task: Any) -> list[str]:
    reading = task.data.store.reading
    series = [reading.series] if reading.series else []
    time = reading.time.name if reading.time else "row"
    quantiles = [f"_{quantile:g}" for quantile in task.quantiles] or [""]
    return [*series, time, "step", *(t + q for t in task.spec.targets for q in quantiles)]


def _rows(task: Any, origins: Any, forecasts: Any) -> list[list[Any]]:
    import pandas as pd

    store, rows = task.data.store, []
    zone = store.reading.time.zone if store.reading.time else None
    for origin, number, forecast in zip(origins, store.series_of(origins), forecasts, strict=True):
        series = [store.names[number]] if store.reading.series else []
        for step, values in enumerate(forecast):
            time = store.times[origin + step]
            if isinstance(time, np.datetime64):
                time = pd.Timestamp(time)
                time = time if zone is None else time.tz_localize("UTC").tz_convert(zone)
            rows.append([*series, time, step + 1, *values.ravel().tolist()])
    return rows
