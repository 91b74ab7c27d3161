"""time_series_data: the `data=` argument of a forecasting task, resolved."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_tf.data.series.series_columns import SeriesColumns
from lightning_tf.data.series.time_series import TimeSeries
from lightning_tf.data.sources.data_folder import data_folders, find_file, missing_file
from lightning_tf.data.sources.options import refuse_unknown, source_options, use_as_is
from lightning_tf.data.sources.order_options import (
    WITHOUT_CLASSES,
    take_order_options,
    with_order,
)
from lightning_tf.data.sources.table_file import check_is_table
from lightning_tf.storage.remote_data import local_data


class NamedSeries(NamedTuple):
    """A data set by name: its file and what its columns are.

    Attributes:
        file: In `data_dir` or the data folder.
        columns: Options of `TimeSeries`.
        package: Where the package statsmodels keeps the file.
    """

    file: str
    columns: Mapping[str, Any]
    package: str | None = None


NAMED: dict[str, NamedSeries] = {
    # Closing price of a share of Alphabet, class A, by day of trade.
    "google_stock": NamedSeries("google_stock.csv", {"time": "Date", "target": "Close"}),
    # CO2 above Mauna Loa, parts per million, by week; Keeling and Whorf, 2004.
    "co2": NamedSeries(
        "co2.csv",
        {
            "time": "date",
            "target": "co2",
            "time_format": "%Y%m%d",
            "frequency": "W-SAT",
            "missing": "interpolate",
        },
        "datasets/co2/co2.csv",
    ),
    # Sunspots by year, 1700-2008, Royal Observatory of Belgium.
    "sunspots": NamedSeries(
        "sunspots.csv",
        {"time": "YEAR", "target": "SUNACTIVITY", "frequency": 1},
        "datasets/sunspots/sunspots.csv",
    ),
}
"""Names that `time_series_data` knows."""


def time_series_data(
    data: Any, *, data_dir: str | os.PathLike[str] | None = None, **options: Any
) -> TimeSeries:
    """Make a `TimeSeries` from what a user writes.

    Args:
        data: A name of `NAMED`; a CSV, TSV or Parquet file; a DataFrame or Series; arrays by
            column; an array of shape (rows,) or (rows, targets); or a `TimeSeries`, which is
            returned as it is.
        data_dir: Where the files of a named data set are; None looks in $LIGHTNING_TF_DATA, and
            for co2 and sunspots in the package statsmodels.
        **options: Those of `TimeSeries`, and ``shuffle`` and ``drop_remainder`` of `IndexedData`;
            None leaves one at its default.

    Raises:
        ConfigurationError: An unknown name, or an option that `TimeSeries` lacks.
        DataError: The file of a named data set is not there.

    Example:
        >>> data = time_series_data({"day": [1, 2, 3, 4], "sold": [3.0, 2, 4, 3]}, time="day",
        ...                         history=2, val_fraction=0, test_fraction=0)
        >>> data.setup("fit")
        >>> data.store.targets
        ('sold',)
    """
    options = {key: local_data(value) for key, value in options.items() if value is not None}
    data, data_dir = local_data(data), local_data(data_dir)
    if isinstance(data, TimeSeries):
        return use_as_is(data, options)

    order = take_order_options(options, WITHOUT_CLASSES)
    # The split of series is by time: there is nothing to draw.
    known = source_options(TimeSeries) | source_options(SeriesColumns)
    refuse_unknown(TimeSeries, data, options, known - {"split_seed"})
    if isinstance(data, str) and data in NAMED:
        series = TimeSeries(_file(data, data_dir), **{**NAMED[data].columns, **options})
    else:
        check_is_table(data, NAMED)
        series = TimeSeries(data, **options)
    with_order(series, order)
    return series


def _file(name: str, data_dir: Any) -> Path:
    named = NAMED[name]
    path = find_file(data_folders(data_dir), [named.file])

    # Found, not imported: statsmodels takes a second, and only its file is needed.
    package = importlib.util.find_spec("statsmodels") if named.package and not path else None
    if package is not None and package.submodule_search_locations:
        path = Path(package.submodule_search_locations[0]) / str(named.package)
    if path is None:
        otherwise = ", or install statsmodels, which carries it" if named.package else ""
        raise missing_file(named.file, data_dir, otherwise)
    return path
