"""TimeSeries: windows of one or several time series, split by time."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_integer
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.pipeline.fold import TIME, Fold
from lightning_tf.data.series.align_store import align_store
from lightning_tf.data.series.read_series import read_series
from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.series_store import SeriesStore
from lightning_tf.data.series.series_windows import SeriesWindows, window_origins
from lightning_tf.data.series.tables import as_table, is_array
from lightning_tf.exceptions import ConfigurationError, DataError

DEFAULT_FRACTION = 0.1


class TimeSeries(IndexedData):
    """Windows of time series in a table or an array.

    A batch is ``(inputs, targets)`` as `SeriesWindows` gives them. The rows of every series are
    split by time: what is forecast in training lies before `val_from`, in validation before
    `test_from`, in testing behind it. The history of a window may lie in the split before, as it
    would when the forecast is made. Only one copy of the series is held; windows are cut from it.

    Attributes:
        store: The series, after `setup`.
        boundaries: The first row of each series that validation and test forecast, after `setup`:
            shape (2, series).

    Args:
        table: A CSV, TSV, Parquet, JSON Lines or Excel file, a DataFrame or Series, whose index may
            be the times, arrays by column, rows as dicts, or an array of shape (rows,) or (rows,
            targets).
        history: Rows before the forecast that the network sees.
        horizon: Rows that it forecasts.
        val_from: The first time of validation, a date or a number; None holds out `val_fraction`.
        test_from: The first time of the test; None holds out `test_fraction`.
        val_fraction: Share of the rows of each series, before those of the test; 0.1 by default,
            0 where only `test_from` is given and for none.
        test_fraction: Share of the rows of each series at its end; 0.1 by default.
        batch_size: Windows in a global batch.
        seed: Decides the order of training windows; None follows the Trainer's seed.
        encoding: Of CSV and TSV files.
        sep: Between their fields; None is a tab for ``.tsv`` and a comma otherwise.
        quoting: Whether quotation marks enclose their fields; None is False for tabs alone.
        **columns: Those of `SeriesColumns`: target, time, series, known, unknown, time_format,
            frequency, sort, missing.

    Raises:
        ConfigurationError: A number is out of range, or a split has a date and a fraction.
        DataError: A column is missing, times do not ascend, values are missing, or a series is
            shorter than a window; raised by `setup`.

    Example:
        >>> data = TimeSeries(np.sin(np.arange(200) / 5), history=20, horizon=5)
        >>> inputs, targets = next(iter(data.train_dataset(epoch=0)))
        >>> inputs["past"].shape, targets.shape
        (TensorShape([32, 20, 1]), TensorShape([32, 5, 1]))
    """

    store: SeriesStore
    boundaries: NDArray[np.int64]
    _options_of = SeriesColumns

    def __init__(
        self,
        table: Any,
        *,
        history: int = 60,
        horizon: int = 1,
        val_from: Any = None,
        test_from: Any = None,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        encoding: str = "utf-8",
        sep: str | None = None,
        quoting: bool | None = None,
        **columns: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed)
        self.history = checked_integer("history", history, least=2)
        self.horizon = checked_integer("horizon", horizon, least=1)
        self._table = table
        self._csv: dict[str, Any] = {"encoding": encoding, "sep": sep, "quoting": quoting}
        self._columns = SeriesColumns(**columns)
        if is_array(table) and self._columns.frequency is not None:
            raise ConfigurationError(
                f"frequency={self._columns.frequency!r} is of a time column, and an array has "
                "none; give a table and name it with time=."
            )

        fractions = {"val": val_fraction, "test": test_fraction}
        self._from = {"val": val_from, "test": test_from}
        for name, fraction in fractions.items():
            if fraction is not None and self._from[name] is not None:
                raise ConfigurationError(
                    f"{name}_from={self._from[name]!r} and {name}_fraction={fraction!r} say the "
                    "same in two ways; give one."
                )
            if fraction is not None and not 0 <= fraction < 1:
                raise ConfigurationError(f"{name}_fraction={fraction!r} must be in [0, 1).")

        # A share of rows cannot be meant where the test has a date and nobody asks for validation.
        dated = test_from is not None
        defaults = {"val": 0.0 if dated else DEFAULT_FRACTION, "test": DEFAULT_FRACTION}
        self._fractions = {n: defaults[n] if f is None else f for n, f in fractions.items()}

    def load(self) -> dict[str, Split]:
        """Read the table, check it, and find the windows of each split."""
        columns = self._columns
        table = as_table(self._table, **self._csv)
        if is_array(self._table) and not columns.roles["target"]:
            columns = replace(columns, target=list(table))
        self.store = read_series(table, columns, self._table)
        starts, ends = self.store.starts[:-1], self.store.starts[1:]
        self._check_lengths(ends - starts)

        # From the end: validation lies before the test.
        test = self._first_rows("test", starts, ends)
        val, val_end = self._first_rows("val", starts, ends, test), test
        if self.fold is not None:
            self._is_cut = True
            val, val_end = (starts + edge for edge in self.fold.edges(test - starts))
        self.boundaries = np.stack([val, test])

        bounds = {"train": (starts, val), "val": (val, val_end), "test": (test, ends)}
        source = SeriesWindows(self.store, self.history, self.horizon)
        return {
            name: Split(source, self._origins(name, starts, *bound))
            for name, bound in bounds.items()
        }

    def take_fold(self, fold: Fold) -> None:
        """Validate on a stretch of time, and train on what comes before it.

        Raises:
            ConfigurationError: The fold is by something else than time.
        """
        if fold.by not in (None, TIME) or fold.groups is not None:
            raise ConfigurationError(
                f"by={fold.by!r}: series are cut by time alone, as what comes later must not train."
            )
        super().take_fold(fold)

    def align(self, spec: Any) -> None:
        """Give series and columns the numbers that they have in a task, by their names.

        Args:
            spec: Names, as lists: series, targets, unknown, known.

        Raises:
            DataError: A series is unknown to the task, or the columns are others.
        """
        store = align_store(self.store, spec, has_names=not is_array(self._table))
        if store is self.store:
            return
        self.store = store
        source = SeriesWindows(store, self.history, self.horizon)
        self.splits = {
            name: Split(source, split.indices) for name, split in (self.splits or {}).items()
        }

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        needed = self.history + self.horizon
        short = np.flatnonzero(lengths < needed)
        if len(short):
            name = self.store.names[short[0]]
            raise DataError(
                f"{f'series {name!r}' if name else 'The series'} has {lengths[short[0]]} rows, "
                f"shorter than a window of history={self.history} + horizon={self.horizon} = "
                f"{needed}; give more rows, or make the window shorter."
            )

    def _first_rows(
        self, name: str, starts: Any, ends: Any, limit: Any = None
    ) -> NDArray[np.int64]:
        """Return the first row of a split in every series."""
        limit = ends if limit is None else limit
        if self._from[name] is None:
            # Of each series its own share, rounded half up as in `split_indices`.
            held_out = np.floor(self._fractions[name] * (ends - starts) + 0.5).astype(np.int64)
            return np.asarray(np.maximum(starts, limit - held_out))

        time = self._parse_from(name)

        rows = [
            start + np.searchsorted(self.store.times[start:end], time)
            for start, end in zip(starts, ends, strict=True)
        ]
        return np.asarray(np.minimum(np.array(rows, np.int64), limit))

    def _parse_from(self, name: str) -> Any:
        first, reading = self._from[name], self.store.reading.time
        try:
            return float(first) if reading is None else reading.read_one(f"{name}_from", first)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{name}_from={first!r} is no time like {self.store.times[0]}: {error}"
            ) from error

    def _origins(self, name: str, starts: Any, first: Any, last: Any) -> NDArray[np.int64]:
        origins = window_origins(starts, first, last, self.history, self.horizon)
        wanted = name == "train" or self._from[name] is not None or self._fractions[name] > 0
        if wanted and not len(origins):
            raise DataError(
                f"The {name} split has {int((last - first).max())} rows in its longest series and "
                f"no window of history={self.history} and horizon={self.horizon}; give it more "
                f"rows ({'val_' if name == 'train' else name + '_'}from= or _fraction=), or make "
                "the window shorter."
            )
        return origins
