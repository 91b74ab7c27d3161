"""class_files: the files of a folder with one folder for each class."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.labels import checked_classes
from lightning_tf.data.sources.listed_files import LeftOut, listed_files, shown_path, subfolders
from lightning_tf.data.sources.split_folders import SPLIT_NAMES, split_folders
from lightning_tf.exceptions import DataError

LabeledFiles = tuple[list[str], NDArray[np.int32]]

SHOWN_CLASSES = 10
SHOWN_ENDINGS = 8
COMMON = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

_log = logging.getLogger(__name__)


def class_files(
    root: Path,
    things: str,
    endings: Sequence[str],
    classes: list[str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> tuple[list[str], dict[str, LabeledFiles]]:
    """List the files of every split and the class of each; the log says what is left out.

    The folder holds either ``<class>/file`` or ``train/<class>/file`` with ``val`` and ``test``
    beside it, by one of the names of `SPLIT_NAMES`. Files may lie deeper in a class's folder. Names
    that begin with a dot are left out: they mark macOS' companions of files, and folders of
    programs.

    Args:
        root: The folder.
        things: What the files hold, for messages: images or texts.
        endings: Of the files, in lower case; capitals count as the same.
        classes: Take only these class folders, in this order; None takes those of the training
            split, sorted by name.
        splits: See `split_folders`.

    Returns:
        The classes; and by the name of a split its files, in the order of classes and names, and
        their labels: places in the classes, int32 of shape (files,).

    Raises:
        ConfigurationError: `classes` names a folder that is not there.
        DataError: There is no folder, no class folder, a class without training files, or a class
            that training does not have; or see `split_folders`.
    """
    folders = split_folders(root, endings, splits)
    train, left_out = folders["train"], LeftOut()

    known = subfolders(train)
    if not known:
        raise DataError(f"{train} has no class folders; put the {things} into one for each class.")
    names = known if classes is None else checked_classes(classes, known, str(train))

    # A held-out split may lack a class: nothing is learned from it. One that training lacks has no
    # label, unless the user chose classes, and so which folders to leave out.
    files = {}
    for split, folder in folders.items():
        unknown = [name for name in subfolders(folder) if name not in names]
        if unknown and classes is None:
            raise DataError(f"{folder} has classes that training does not: {', '.join(unknown)}.")

        listed = [listed_files(folder / name, endings, left_out) for name in names]
        for name, paths in zip(names, listed, strict=True):
            if not paths and split == "train":
                raise DataError(
                    f"{folder / name} holds no {things}; put some ({_kinds(endings)}) into it, "
                    "or remove the folder."
                )
        labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(paths) for paths in listed])
        files[split] = [path for paths in listed for path in paths], labels

        for name in unknown:
            count = len(listed_files(folder / name, endings))
            left_out.add(f"in {folder.name}/{name}, which classes= leaves out", count)
        beside = sum(path.suffix.lower() in endings for path in folder.iterdir() if path.is_file())
        left_out.add(f"beside the class folders of {folder.name}", beside)

    _count_other_folders(root, folders, endings, left_out)
    shown = [shown_path(name) for name in names]
    _tell(root, things, shown, files, left_out)
    return shown, files


def _count_other_folders(
    root: Path, folders: Mapping[str, Path], endings: Sequence[str], left_out: LeftOut
) -> None:
    """Count files in folders that are of no split."""
    if folders["train"] == root:
        return
    for name in subfolders(root):
        if not any((root / name) in (folder, *folder.parents) for folder in folders.values()):
            count = len(listed_files(root / name, endings))
            of = next((s for s, names in SPLIT_NAMES.items() if name.lower() in names), None)
            what = "a folder of no split" if of is None else f"a second folder of {of}"
            left_out.add(f"in {name}, {what} (see splits=)", count)


def _tell(
    root: Path,
    things: str,
    names: Sequence[str],
    files: Mapping[str, LabeledFiles],
    left_out: LeftOut,
) -> None:
    """Say in one line what is read and what is not; a warning where it may be missed."""
    counts = Counter[int]()
    for _, labels in files.values():
        counts.update(labels.tolist())
    sizes = ", ".join(f"{split} {len(paths)}" for split, (paths, _) in files.items())
    listed = ", ".join(f"{names[i]} {counts[i]}" for i in range(min(len(names), SHOWN_CLASSES)))
    more = f", and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""

    is_missed = any("hidden" not in reason for reason in left_out.counts)
    _log.log(
        logging.WARNING if is_missed else logging.INFO,
        "%s: %d %s (%s) of %d classes: %s%s.%s",
        shown_path(root),
        counts.total(),
        things,
        sizes,
        len(names),
        listed,
        more,
        f" Left out: {left_out}." if left_out else "",
    )


def _kinds(endings: Sequence[str]) -> str:
    """Return some of the endings, for a message."""
    if len(endings) <= SHOWN_ENDINGS:
        return " ".join(endings)
    return f"{' '.join(ending for ending in COMMON if ending in endings)} ..."
