"""Images of a folder by stem, and the files that say which split they belong to."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from lightning_tf.exceptions import DataError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

SplitFiles = Mapping[str, str | PathLike[str]]


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of a folder by their names without ending, sorted."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path)
    return found


def find_folder(root: Path, *names: str) -> Path | None:
    """Return the first of these folders that is there, capitals or not; None where none is."""
    folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    return next((folders[name] for name in names if name in folders), None)


def find_split_files(root: Path) -> dict[str, Path]:
    """Return the text files that name the images of splits, by split.

    They are ``splits/train.txt``, ``ImageSets/Main/train.txt`` or ``<root>_train.txt`` beside the
    folder, the same for ``val`` and ``test``. VOC's ``trainval`` stands in where ``train`` is not.
    """
    beside = {name: root.parent / f"{root.name}_{name}.txt" for name in ("train", "val", "test")}
    for folder in (root / "splits", root / "ImageSets" / "Main"):
        files = {name: folder / f"{name}.txt" for name in ("train", "val", "test")}
        if not files["train"].is_file():
            files["train"] = folder / "trainval.txt"
        found = {name: file for name, file in files.items() if file.is_file()}
        if found:
            return found
    return {name: file for name, file in beside.items() if file.is_file()}


def read_split_file(path: str | PathLike[str]) -> list[str]:
    """Return the stems that a text file names, one a line; an image's ending is taken off.

    Raises:
        DataError: There is no such file, or it is no text.
    """
    file = Path(path).expanduser()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read as a list of images ({error}).") from error

    stems = []
    for line in filter(None, (line.strip() for line in lines)):
        name = line.replace("\\", "/").rsplit("/", 1)[-1]
        stem, dot, ending = name.rpartition(".")
        stems.append(stem if dot and f".{ending}".lower() in ENDINGS else name)
    return list(dict.fromkeys(stems))
