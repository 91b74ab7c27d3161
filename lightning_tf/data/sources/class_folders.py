"""class_files: the files of a folder with one folder for each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.labels import checked_classes
from lightning_tf.exceptions import DataError

SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}

LabeledFiles = tuple[list[str], NDArray[np.int32]]


def class_files(
    root: Path, things: str, endings: Sequence[str], classes: list[str] | None = None
) -> tuple[list[str], dict[str, LabeledFiles]]:
    """List the files of every split and the class of each.

    The folder holds either ``<class>/file`` or ``train/<class>/file`` with ``test`` and ``val`` (or
    ``validation``) beside it. Names that begin with a dot are left out: they mark macOS' companions
    of files, and folders of programs.

    Args:
        root: The folder.
        things: What the files hold, for messages: images or texts.
        endings: Of the files, in lower case; capitals count as the same.
        classes: Take only these class folders, in this order; None takes those of the training
            split, sorted by name.

    Returns:
        The classes; and by the name of a split its files, in the order of classes and names, and
        their labels: places in the classes, int32 of shape (files,).

    Raises:
        ConfigurationError: `classes` names a folder that is not there.
        DataError: There is no folder, no class folder, a class without training files, or a class
            that training does not have.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give one with a folder for each class.")
    folders = split_folders(root)
    train = folders["train"]

    known = _class_folders(train)
    if not known:
        raise DataError(f"{train} has no class folders; put the {things} into one for each class.")
    names = known if classes is None else checked_classes(classes, known, str(train))

    # A held-out split may lack a class: nothing is learned from it. One that training lacks has no
    # label, unless the user chose classes, and so which folders to leave out.
    files = {}
    for split, folder in folders.items():
        unknown = sorted(set(_class_folders(folder)) - set(names))
        if unknown and classes is None:
            raise DataError(f"{folder} has classes that training does not: {', '.join(unknown)}.")

        listed = [_files(folder / name, endings) for name in names]
        for name, paths in zip(names, listed, strict=True):
            if not paths and split == "train":
                raise DataError(
                    f"{folder / name} holds no {things}; put some ({' '.join(endings)}) into it, "
                    "or remove the folder."
                )
        labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(paths) for paths in listed])
        files[split] = [path for paths in listed for path in paths], labels
    return names, files


def split_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each split that there is; `root` itself where it has no ``train``."""
    if not (root / "train").is_dir():
        return {"train": root}
    folders = {}
    for split, names in SPLIT_FOLDERS.items():
        folder = next((root / name for name in names if (root / name).is_dir()), None)
        if folder is not None:
            folders[split] = folder
    return folders


def _class_folders(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _files(folder: Path, endings: Sequence[str]) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        str(path)
        for path in folder.iterdir()
        if path.suffix.lower() in endings and not path.name.startswith(".")
    )
