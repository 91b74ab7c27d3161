"""Checks of arguments: one wording for all of them."""

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from lightning_tf.exceptions import ConfigurationError, DataError, nearest
from lightning_tf.storage.location import is_url, local_path, url_of
from lightning_tf.storage.uploads import UPLOADS

Choice = TypeVar("Choice")


def is_integer(value: Any, least: int | None = None) -> bool:
    """Return whether a value is an integer, NumPy's too, no bool, and at least `least`."""
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    return integer and (least is None or bool(value >= least))


def is_number(value: Any) -> bool:
    """Return whether a value is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_known(what: str, value: Any, known: Collection[Any]) -> None:
    """Refuse a value that is none of the known ones.

    Args:
        what: The message's beginning, such as ``start='nose'``; the nearest and all known follow.
        value: What the user wrote.
        known: The values that would have worked.

    Raises:
        ConfigurationError: It is none of them.
    """
    if value not in known:
        raise ConfigurationError(f"{what}.{nearest(value, known)}")


def checked_integer(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int in the range.

    Raises:
        ConfigurationError: It is none; names the argument and the value.
    """
    if not is_integer(value, least) or (most is not None and value > most):
        wanted = f"of at least {least}" if most is None else f"in {least}..{most}"
        raise ConfigurationError(f"{name} is {value!r}; give an integer {wanted}.")
    return int(value)


def checked_number(what: str, value: Any) -> float:
    """Return a number of Python, NumPy, TensorFlow or Keras as one of Python.

    Args:
        what: What got the value, for the message, such as ``log('k')``.
        value: Integers stay integers, booleans become 0.0 and 1.0.

    Raises:
        ConfigurationError: It is none, such as text, a vector, a dict or a tensor of a graph.
    """
    if type(value) is float or (type(value) is int and abs(value) < 2**63):
        return value

    number = plain_number(value)
    if number is None:
        raise ConfigurationError(
            f"{what} got {describe(value)}; give one number, such as float(value), or the mean of "
            "several."
        )
    return float(number) if isinstance(number, bool) else number


def checked_row(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of a row as numbers of Python; see `checked_number`."""
    return {name: checked_number(f"log({name!r})", value) for name, value in metrics.items()}


def checked_cells(
    name: str, columns: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> list[list[Any]]:
    """Return a table's rows: numbers of Python, copied arrays of NumPy, all else as it is.

    Args:
        name: The table's, for the message.
        columns: A name for each column.
        rows: Cells of Python, NumPy, TensorFlow or Keras.

    Raises:
        DataError: A row has not a cell for each column.
    """
    for index, row in enumerate(rows):
        if len(row) != len(columns):
            raise DataError(
                f"log_table({name!r}): row {index} has {len(row)} cells for {len(columns)} "
                f"columns ({', '.join(map(str, columns))}); give one for each."
            )
    return [[_plain_cell(cell) for cell in row] for row in rows]


def _plain_cell(cell: Any) -> Any:
    if cell is None or isinstance(cell, str):
        return cell
    number = plain_number(cell)
    if number is not None:
        return number
    read = getattr(cell, "numpy", None)  # a tensor
    value = read() if callable(read) else cell
    if isinstance(value, bytes):  # a text of TensorFlow
        return value.decode(errors="replace")
    is_array = hasattr(value, "__array__") or hasattr(value, "__array_interface__")  # PIL's images
    return np.array(value) if is_array else value


def plain_number(value: Any) -> bool | int | float | None:
    """Return a number, boolean, array or tensor of one number as Python's; None for all else."""
    if isinstance(value, (str, bytes)) or value is None:
        return None
    read = getattr(value, "numpy", None)  # NumPy itself cannot read TensorFlow's bfloat16
    try:
        array = np.asarray(read() if callable(read) else value)
    except (AttributeError, TypeError, ValueError, RuntimeError):  # a tensor of a graph, or ragged
        return None
    if array.shape != ():
        return None

    if array.dtype.kind in "biu":
        return cast(int, array.item())
    # Kind V is bfloat16 and smaller; O is Python's fractions, decimals and large integers.
    is_number = array.dtype.kind in "fV" or isinstance(value, (Real, Decimal))
    try:
        return float(array.astype(np.float64)) if is_number else None
    except (TypeError, ValueError, OverflowError):
        return None


def describe(value: Any) -> str:
    """Return a value as a message names it: short, with the shape where it has one."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{type(value).__name__} of shape {shape}"
    return f"{value!r:.80} of type {type(value).__name__}"


def checked_path(name: str, value: Any) -> str:
    """Return a path of this disk as a string: ``~`` is the home folder, a URL its working copy.

    Raises:
        ConfigurationError: It is none, or a URL that nothing here can reach.
    """
    path = value if is_url(value) else None
    if path is None and isinstance(value, (str, os.PathLike)):
        path = os.fspath(value)
    if path is None or isinstance(path, bytes):
        raise ConfigurationError(f"{name} got {describe(value)}; give a path.")
    expanded = local_path(name, path)
    if expanded.startswith("~") and os.sep in expanded:
        user = expanded.partition(os.sep)[0]
        raise ConfigurationError(f"{name}={path!r}: there is no user {user[1:]!r}; give a path.")
    return expanded


def checked_local_path(name: str, value: Any) -> str:
    """Return a path of this disk as `checked_path` does, for what no store can hold.

    Raises:
        ConfigurationError: It is none, or a URL.
    """
    path = checked_path(name, value)
    if url_of(path) is not None:
        raise ConfigurationError(
            f"{name}={str(value)!r}: what stands there is written, locked and sent from this disk; "
            "give a local folder."
        )
    return path


def why_unwritable(path: str) -> str:
    """Return why no folder can be made at a path; empty where one can, which is tried.

    Nothing is left behind: it is tried in the nearest folder that there is. A working copy must
    also have a store that takes it, and is uploaded from then on.
    """
    folder = Path(path).absolute()
    try:
        UPLOADS.open(folder)
        while not folder.exists():
            folder = folder.parent
        os.rmdir(tempfile.mkdtemp(dir=folder))
    except ConfigurationError as error:
        return str(error)
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return ""


def checked_fraction(name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1).

    Raises:
        ConfigurationError: It is none; names the argument and the value.
    """
    if not is_number(value) or not 0.0 <= value < 1.0:
        raise ConfigurationError(f"{name} is {value!r}; give a number in [0, 1).")
    return float(value)


def checked_choice(name: str, value: Choice, choices: Collection[Any]) -> Choice:
    """Return `value`, one of `choices`.

    Raises:
        ConfigurationError: It is none; names the argument, the value and the nearest choice.
    """
    check_known(f"{name} is {value!r}", value, choices)
    return value
