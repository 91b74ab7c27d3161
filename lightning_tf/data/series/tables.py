"""as_table: what a user gives as series, as a DataFrame that keeps its index."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.sources.table_file import is_records, read_table
from lightning_tf.exceptions import DataError


def as_table(data: Any, encoding: str = "utf-8", **csv_options: Any) -> Any:
    """Return a DataFrame, its index as it was given.

    Args:
        data: Anything that `read_table` takes, a pandas Series, or an array or list of shape
            (rows,) or (rows, columns).
        encoding: Of CSV and TSV files.
        **csv_options: ``sep`` and ``quoting`` of them.

    Raises:
        ConfigurationError: It is nothing of these.
        DataError: There are no rows, or an array has another shape.

    Example:
        >>> as_table([[1.0, 2.0], [3.0, 4.0]]).columns.tolist()
        ['value_0', 'value_1']
    """
    import pandas as pd

    if is_array(data):
        return read_table(_name_columns(data))
    if isinstance(data, pd.Series):
        data = data.to_frame("value" if data.name is None else data.name)
    elif isinstance(data, Mapping) and any(isinstance(cells, pd.Series) for cells in data.values()):
        data = pd.DataFrame(dict(data))  # pandas joins them by their indexes
    if not isinstance(data, pd.DataFrame):
        return read_table(data, encoding, **csv_options)
    return read_table(data.reset_index(drop=True)).set_axis(data.index)


def is_array(data: Any) -> bool:
    """Return whether data are an array or lists of numbers, whose columns have no names."""
    return isinstance(data, (np.ndarray, list)) and not is_records(data)


def _name_columns(array: Any) -> dict[str, NDArray[Any]]:
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise DataError(f"data is a list of rows of unlike lengths: {error}.") from error
    if isinstance(array, np.ma.MaskedArray):
        values = np.ma.filled(array.astype(np.float64), np.nan)
    if values.ndim == 1:
        return {"value": values}
    if values.ndim != 2:
        raise DataError(
            f"data is an array of shape {values.shape}; give (rows,) or (rows, targets)."
        )
    return {f"value_{number}": values[:, number] for number in range(values.shape[1])}
