"""Where data files are looked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "LIGHTNING_TF_DATA"


def data_folders(data_dir: str | os.PathLike[str] | None, *usual: str) -> list[Path]:
    """The folders to look in: `data_dir` alone if given, else $LIGHTNING_TF_DATA and usual ones.

    Example:
        >>> data_folders("images")
        [PosixPath('images')]
    """
    if data_dir is not None:
        return [Path(data_dir).expanduser()]
    root = os.environ.get(VARIABLE)
    return ([Path(root)] if root else []) + [Path(folder) for folder in usual]


def find_file(folders: Iterable[Path], names: Iterable[str]) -> Path | None:
    """The first of `names` that is a file in one of the folders."""
    names = list(names)
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if path.is_file()), None)
