"""Where data files are looked for."""

import os
from collections.abc import Iterable
from pathlib import Path

from lightning_tf.exceptions import DataError

VARIABLE = "LIGHTNING_TF_DATA"


def data_folders(data_dir: str | os.PathLike[str] | None, *defaults: str) -> list[Path]:
    """Return the folders to look in: `data_dir` alone, or $LIGHTNING_TF_DATA and the defaults.

    Example:
        >>> data_folders("images")
        [PosixPath('images')]
    """
    if data_dir is not None:
        return [Path(data_dir).expanduser()]
    root = os.environ.get(VARIABLE)
    return ([Path(root)] if root else []) + [Path(folder) for folder in defaults]


def find_file(folders: Iterable[Path], names: Iterable[str]) -> Path | None:
    """Return the first of `names` that is a file in one of the folders, or None."""
    names = list(names)
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if path.is_file()), None)


def missing_file(name: str, data_dir: str | os.PathLike[str] | None, otherwise: str) -> DataError:
    """Return the error about a file of a named data set that is nowhere.

    Args:
        name: Of the file.
        data_dir: Where it was looked for.
        otherwise: What else the user may do.
    """
    return DataError(
        f"No {name} in {data_dir or VARIABLE}; pass data_dir= with its folder, set {VARIABLE}"
        f"{otherwise}."
    )
