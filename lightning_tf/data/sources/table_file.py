"""read_table: a table from a file, a DataFrame or columns."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.sources.csv_file import read_csv_file
from lightning_tf.data.sources.hugging_face import hugging_face_frame, is_hugging_face
from lightning_tf.exceptions import ConfigurationError, DataError, nearest
from lightning_tf.storage.remote_data import local_data

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".xlsx")

_log = logging.getLogger(__name__)


def read_table(data: Any, encoding: str = "utf-8", **csv_options: Any) -> Any:
    """Return a new pandas DataFrame, its rows numbered from 0.

    Args:
        data: A CSV, TSV (both also compressed), Parquet, JSON Lines or Excel file; a DataFrame of
            pandas, polars, pyarrow or another library that narwhals knows; arrays by column; or
            rows as dicts.
        encoding: Of CSV and TSV files.
        **csv_options: ``sep``, ``quoting`` and further arguments of `read_csv_file`.

    Raises:
        ConfigurationError: `data` is nothing of these.
        DataError: The file is missing or broken, has no rows, or columns differ in length.

    Example:
        >>> read_table({"price": [1.0, 2.0]}).columns.tolist()
        ['price']
    """
    import pandas as pd

    if is_records(data):
        table = pd.DataFrame(data)
    elif is_frame(data):
        data = as_pandas(data)
        _tell_index(data)
        table = data.reset_index(drop=True)  # messages name rows by their number
    elif isinstance(data, Mapping):
        is_row = bool(data) and all(np.ndim(cell) == 0 for cell in data.values())
        try:
            table = pd.DataFrame([dict(data)] if is_row else dict(data))
        except ValueError as error:
            raise DataError(f"The columns do not make a table: {error}.") from error
    elif isinstance(data, (str, os.PathLike)):
        table = read_table_file(data, encoding, **csv_options)
    else:
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give a table ({' '.join(ENDINGS)}), a DataFrame or "
            "arrays by column."
        )

    if not len(table):
        raise DataError(f"{table_name(data)} has no rows; give at least one.")
    return table


def _tell_index(frame: Any) -> None:
    """Say that a named index is no column; one without a name most often numbers the rows."""
    names = [str(name) for name in frame.index.names if name is not None]
    if names:
        _log.warning(
            "the index %s of the table is no column and left out; reset_index() makes it one.",
            ", ".join(map(repr, names)),
        )


def is_frame(data: Any) -> bool:
    """Return whether data are a DataFrame, of pandas or another library, or of HuggingFace."""
    import narwhals as nw
    import pandas as pd

    if isinstance(data, pd.DataFrame) or is_hugging_face(data):
        return True
    native = nw.from_native(data, pass_through=True)
    return isinstance(native, (nw.DataFrame, nw.LazyFrame))


def as_pandas(data: Any) -> Any:
    """Return a DataFrame of any library as one of pandas; one of pandas is returned itself."""
    import narwhals as nw
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data  # narwhals takes no column twice; whoever reads the table refuses it by name
    if is_hugging_face(data):
        return hugging_face_frame(data)
    frame = nw.from_native(data)
    return (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_pandas()


def is_records(data: Any) -> bool:
    """Return whether data are rows as dicts."""
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], Mapping)


def table_name(data: Any) -> str:
    """Return what a message calls a table: its path, or that it is one in memory."""
    return os.fspath(data) if isinstance(data, (str, os.PathLike)) else "The table"


def is_table_file(data: Any) -> bool:
    """Return whether `data` is the path of a file that `read_table` knows by its ending."""
    if not isinstance(data, (str, os.PathLike)):
        return False
    path = os.path.expanduser(data)  # with isfile, takes any text, which a Path does not
    return os.path.isfile(path) and any(e in ENDINGS for e in _endings(Path(path))[-2:])


def check_is_table(data: Any, names: Iterable[str]) -> None:
    """Refuse a string or path that is no table file.

    Args:
        data: What the user wrote; anything but a string or a path passes.
        names: The names of data sets that could have been meant.

    Raises:
        ConfigurationError: Names the nearest name.
    """
    if isinstance(data, (str, os.PathLike)) and not is_table_file(data):
        raise ConfigurationError(
            f"data={os.fspath(data)!r} is neither a known name nor a table ({' '.join(ENDINGS)}) "
            f"that is there.{nearest(data, names)}"
        )


def check_columns(table: Any, name: str, columns: Mapping[str, Iterable[str]]) -> None:
    """Refuse a table that lacks a column.

    Args:
        table: A DataFrame.
        name: Of the table, for the message.
        columns: Names of columns by the option that they stand in.

    Raises:
        DataError: Names the column, its option and the nearest column.
    """
    for option, wanted in columns.items():
        for column in wanted:
            if column not in table.columns:
                hint = nearest(column, table.columns)
                raise DataError(f"{name} has no column {column!r}; name one with {option}=.{hint}")


def read_table_file(
    file: str | os.PathLike[str], encoding: str = "utf-8", **csv_options: Any
) -> Any:
    """Read a CSV, TSV (both also compressed), Parquet, JSON Lines or Excel file as a DataFrame.

    Of an Excel file the first sheet is read, with the package openpyxl.

    Args:
        file: Its path.
        encoding: Of CSV and TSV files.
        **csv_options: ``sep``, ``quoting`` and further arguments of `read_csv_file`.

    Raises:
        DataError: The file is missing or broken, or its rows do not fit its header.
    """
    import pandas as pd

    path = Path(local_data(file)).expanduser()
    if not path.is_file():
        raise DataError(f"{path} is no file; give a table ({' '.join(ENDINGS)}).")

    try:
        endings = _endings(path)
        if endings[-1:] == [".parquet"]:
            return pd.read_parquet(path)
        if ".jsonl" in endings:
            return pd.read_json(path, lines=True, encoding=encoding)
        if endings[-1:] == [".xlsx"]:
            return _read_excel(path)
        return read_csv_file(path, encoding, **csv_options)
    except DataError:
        raise
    # pandas and pyarrow raise what they like for a broken file; all of them are ValueErrors or
    # errors of the file system.
    except (ValueError, OSError, LookupError) as error:
        raise DataError(
            f"{path} cannot be read as a table: {type(error).__name__}: {error}. Check the file "
            f"and encoding={encoding!r}."
        ) from error


def _endings(path: Path) -> list[str]:
    """Return the endings of a file in lower case."""
    return [suffix.lower() for suffix in path.suffixes]


def _read_excel(path: Path) -> Any:
    import importlib.util

    import pandas as pd

    if importlib.util.find_spec("openpyxl") is None:
        raise DataError(
            f"{path} needs the package openpyxl: pip install 'lightning-tf[excel]', or save the "
            "sheet as CSV."
        )
    return pd.read_excel(path)
