"""read_table: a table from a file, a DataFrame or columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import ConfigurationError, DataError, nearest

ENDINGS = (".csv", ".tsv", ".parquet")


def read_table(data: Any, encoding: str = "utf-8") -> Any:
    """A new pandas DataFrame, its rows numbered from 0.

    Args:
        data: A CSV, TSV (both also compressed) or Parquet file, a DataFrame, or arrays by column.
        encoding: Of CSV and TSV files.

    Raises:
        ConfigurationError: `data` is nothing of these.
        DataError: The file is missing or broken, has no rows, or columns differ in length.

    Example:
        >>> read_table({"price": [1.0, 2.0]}).columns.tolist()
        ['price']
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        table = data.reset_index(drop=True)
    elif isinstance(data, Mapping):
        try:
            table = pd.DataFrame(dict(data))
        except ValueError as error:
            raise DataError(f"The columns do not make a table: {error}.") from error
    elif isinstance(data, (str, os.PathLike)):
        table = _read(Path(data).expanduser(), encoding)
    else:
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give a table ({' '.join(ENDINGS)}), a DataFrame or "
            "arrays by column."
        )
    if not len(table):
        raise DataError(f"{described(data)} has no rows; give at least one.")
    return table


def described(data: Any) -> str:
    """What a message calls a table: its path, or that it is one in memory."""
    return os.fspath(data) if isinstance(data, (str, os.PathLike)) else "The table"


def is_table_file(data: Any) -> bool:
    """Whether `data` is the path of a file that `read_table` knows by its ending."""
    if not isinstance(data, (str, os.PathLike)):
        return False
    path = Path(data).expanduser()
    return path.is_file() and any(suffix in ENDINGS for suffix in path.suffixes[-2:])


def check_columns(table: Any, name: str, columns: Mapping[str, Iterable[str]]) -> None:
    """Refuse a table that lacks a column.

    Args:
        table: A DataFrame.
        name: Of the table, for the message.
        columns: Names by the option that gave them.

    Raises:
        DataError: Names the column, its option and the nearest column.
    """
    for option, wanted in columns.items():
        for column in wanted:
            if column not in table.columns:
                hint = nearest(column, table.columns)
                raise DataError(f"{name} has no column {column!r}; name one with {option}=.{hint}")


def _read(path: Path, encoding: str) -> Any:
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{path} is no file; give a table ({' '.join(ENDINGS)}).")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep="\t" if ".tsv" in path.suffixes else ",", encoding=encoding)
    # pandas and pyarrow raise what they like for a broken file; all of them are ValueErrors or
    # errors of the file system.
    except (ValueError, OSError, LookupError) as error:
        raise DataError(
            f"{path} cannot be read as a table: {type(error).__name__}: {error}. Check the file "
            f"and encoding={encoding!r}."
        ) from error
