"""split_folders: which folder holds the training, validation and test files."""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_tf.checks import check_known
from lightning_tf.data.sources.listed_files import is_hidden
from lightning_tf.exceptions import DataError

SPLIT_NAMES = {
    "train": ("train", "training", "trn"),
    "val": ("val", "validation", "valid", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "hold_out", "hold-out"),
}
"""What folders of splits are called, capitals or not."""
EITHER = ("eval", "evaluation")
"""Validation where no other folder is, else test."""


def splits_by_name(names: Iterable[str]) -> dict[str, str | None]:
    """Return the split that each name stands for, capitals or not; None where it is none.

    Example:
        >>> splits_by_name(["Train", "eval", "extra"])
        {'Train': 'train', 'eval': 'val', 'extra': None}
    """
    known = {name: split for split, of_split in SPLIT_NAMES.items() for name in of_split}
    names = list(names)
    has_val = any(known.get(name.lower()) == "val" for name in names)
    known |= dict.fromkeys(EITHER, "test" if has_val else "val")
    return {name: known.get(name.lower()) for name in names}


def split_folders(
    root: Path, endings: Collection[str], splits: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """Return the folder of each split that there is; `root` itself where it has no ``train``.

    A folder ``train`` that holds files and no folders is a class of that name.

    Args:
        root: The folder of all.
        endings: Of the files.
        splits: The folder of each split by its name below `root`, ``.`` for itself; None goes by
            the names of the folders.

    Raises:
        ConfigurationError: `splits` has another key than train, val and test.
        DataError: There is no folder, or none is of training.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give one with a folder for each class.")
    if splits is not None:
        return _chosen_folders(root, splits)

    folders = sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name))
    found = {
        split: [path for path in folders if path.name.lower() in names]
        for split, names in SPLIT_NAMES.items()
    }
    for path in folders:
        if path.name.lower() in EITHER:
            found["test" if found["val"] else "val"].append(path)

    others = [path for path in (*found["val"], *found["test"]) if _holds_folders(path)]
    if not any(_is_split(path, endings, bool(others)) for path in found["train"]):
        if others and len(others) == len(folders):
            raise DataError(
                f"{root} has the folders {', '.join(p.name for p in others)} and none to train on; "
                "name it with splits=, such as splits={'train': 'my_folder'}."
            )
        return {"train": root}

    # Of two folders of one split the first by name; who lists the files counts the other's.
    return {split: paths[0] for split, paths in found.items() if paths}


def whole_folder(data: Any, endings: Collection[str]) -> dict[str, Any]:
    """Return the option by which all of a folder without splits is evaluated, and no share of it.

    Args:
        data: A folder, or anything, which has no such option.
        endings: Of the files.
    """
    root = Path(data).expanduser() if isinstance(data, (str, os.PathLike)) else None
    if root is None or not root.is_dir() or split_folders(root, endings) != {"train": root}:
        return {}
    return {"splits": dict.fromkeys(SPLIT_NAMES, ".")}


def _chosen_folders(root: Path, splits: Mapping[str, str]) -> dict[str, Path]:
    for split, name in splits.items():
        check_known(f"splits has no split {split!r}", split, SPLIT_NAMES)
        if not (root / name).is_dir():
            raise DataError(f"splits={dict(splits)!r}: {root / name} is no folder.")
    if "train" not in splits:
        raise DataError(f"splits={dict(splits)!r} names no folder to train on; add 'train'.")
    return {split: root / splits[split] for split in SPLIT_NAMES if split in splits}


def _holds_folders(folder: Path) -> bool:
    return any(path.is_dir() and not is_hidden(path.name) for path in folder.iterdir())


def _is_split(folder: Path, endings: Collection[str], beside_others: bool) -> bool:
    """Return whether a folder called train holds classes, and is not one itself."""
    if not _holds_folders(folder):
        return False
    # Files beside folders: a class whose files lie at several depths, unless a val or test tells.
    return beside_others or not any(p.suffix.lower() in endings for p in folder.iterdir())
