"""YoloYaml: the data.yaml of a YOLO data set."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tf.data.boxes.listed_images import ENDINGS
from lightning_tf.exceptions import DataError

SPLITS = ("train", "val", "test")


class YoloYaml:
    """A ``data.yaml``: the classes by number, and the images of each split.

    ``train``, ``val`` and ``test`` are a folder, a text file with one image a line, or a list of
    both; from ``path``, which is from the file's folder. As exports write ``../train/images`` for
    a folder beside the file, that is looked for there too.

    Attributes:
        names: The classes.
        entries: What the file says of each split that it names.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, has no list of names, or numbers with holes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Read the file."""
        self.path = Path(path).expanduser()
        content = _read(self.path)
        self.names = _names(self.path, content.get("names"))
        self.entries = {
            split: _entries(self.path, split, content[split])
            for split in SPLITS
            if content.get(split)
        }
        self._roots = (self.path.parent / str(content.get("path") or ""), self.path.parent)

    def images(self) -> dict[str, list[Path]]:
        """Return the image files of each split that the file names; none where no entry is there.

        Raises:
            DataError: Some entries are there and some not.
        """
        places = {name: [self._place(x) for x in parts] for name, parts in self.entries.items()}
        lost = [name for name, parts in places.items() if None in parts]
        if lost and len(lost) < len(places):
            raise DataError(
                f"{self.path} has {lost[0]}: {', '.join(self.entries[lost[0]])}, which is not "
                "there; correct it or take it out."
            )
        return {
            name: [image for place in parts if place for image in _images(place)]
            for name, parts in places.items()
            if name not in lost
        }

    @property
    def has_lists(self) -> bool:
        """Return whether an entry is a text file that lists images."""
        places = (self._place(entry) for entries in self.entries.values() for entry in entries)
        return any(place is not None and place.is_file() for place in places)

    def _place(self, entry: str) -> Path | None:
        names = [entry, entry.removeprefix("../")]
        paths = (root / name for name in names for root in self._roots)
        return next((path for path in paths if path.exists()), None)


def find_yolo_yaml(root: Path) -> Path | None:
    """Return the folder's ``data.yaml`` or ``dataset.yaml``; None where there is none."""
    files = (*sorted(root.glob("data.y*ml")), *sorted(root.glob("dataset.y*ml")))
    return next(iter(files), None)


def text_file_of(image: Path) -> Path:
    """Return where the objects of an image stand: ``images`` in its path becomes ``labels``."""
    parts = list(image.with_suffix(".txt").parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as YAML ({error}).") from error
    return content if isinstance(content, Mapping) else {}


def _entries(path: Path, split: str, entry: Any) -> list[str]:
    entries = entry if isinstance(entry, list) else [entry]
    if all(isinstance(part, str) for part in entries):
        return entries
    raise DataError(
        f"{path} has {split}: {entry!r}; it must be a folder, a text file or a list of them."
    )


def _names(path: Path, names: Any) -> list[str]:
    if isinstance(names, Mapping):
        numbers = sorted(names)
        if numbers != list(range(len(numbers))):
            raise DataError(f"{path} names the classes {numbers}; number them from 0 on.")
        names = [names[number] for number in numbers]
    if not isinstance(names, list):
        raise DataError(f"{path} has no list 'names'; add the names of the classes.")
    return [str(name) for name in names]


def _images(place: Path) -> list[Path]:
    """Return the images below a folder, or those that a text file lists."""
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.suffix.lower() in ENDINGS)
        return [path for path in files if not path.name.startswith(".")]
    lines = map(str.strip, place.read_text(encoding="utf-8-sig").splitlines())
    return [place.parent / line for line in lines if line]
