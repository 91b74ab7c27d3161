"""TextFolder: a folder with one folder of text files for each class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning_tf.data.text_arrays import Pair, TextArrays
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

ENDING = ".txt"
_PARTS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}


class TextFolder(TextArrays):
    """Texts in class folders, one file each.

    The folder holds either ``<class>/text.txt`` or ``train/<class>/text.txt`` with ``test`` and
    ``val`` (or ``validation``) beside it. Files are read in the order of their names.

    Args:
        root: The folder.
        classes: Take only these class folders, labelled in this order; the unpacked IMDB archive
            has a third folder of unlabelled texts, ``classes=["neg", "pos"]`` leaves it out.
        encoding: Of the files.
        **options: Those of `TextArrays`: empty, val_fraction, test_fraction, batch_size, seed,
            split_seed.

    Raises:
        ConfigurationError: `classes` names a folder that is not there.
        DataError: There is no folder, no class or no file, a file is in another encoding, or a test
            class is not among the training classes; raised by `setup`.

    Example:
        >>> data = TextFolder("aclImdb", classes=["neg", "pos"])
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        classes: list[str] | None = None,
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._root, self._wanted, self._encoding = Path(root).expanduser(), classes, encoding

    def read(self) -> dict[str, Pair]:
        """The files of each part."""
        return {part: self._files(folder) for part, folder in self._part_folders().items()}

    def _part_folders(self) -> dict[str, Path]:
        if not self._root.is_dir():
            raise DataError(f"{self._root} is no folder; give one with a folder for each class.")
        if not (self._root / "train").is_dir():
            return {"train": self._root}
        found = {
            part: next((self._root / n for n in names if (self._root / n).is_dir()), None)
            for part, names in _PARTS.items()
        }
        return {part: folder for part, folder in found.items() if folder is not None}

    def _files(self, folder: Path) -> Pair:
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        for name in self._wanted or ():
            if name not in found:
                raise ConfigurationError(f"{folder} has no class {name!r}.{nearest(name, found)}")
        texts: list[str] = []
        labels: list[str] = []
        for name in self._wanted or found:
            paths = sorted(path for path in (folder / name).iterdir() if path.suffix == ENDING)
            if not paths:
                raise DataError(
                    f"{folder / name} holds no {ENDING} files; put some into it, or remove the "
                    "folder."
                )
            texts += [self._text(path) for path in paths]
            labels += [name] * len(paths)
        if not texts:
            raise DataError(f"{folder} has no class folders; put the texts into one for each.")
        return texts, labels

    def _text(self, path: Path) -> str:
        try:
            return path.read_text(encoding=self._encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise DataError(
                f"{path} cannot be read in {self._encoding}: {error}. Pass encoding= with the one "
                "that it was written in."
            ) from error
