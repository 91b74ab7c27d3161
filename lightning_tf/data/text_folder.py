"""TextFolder: a folder with one folder of text files for each class."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lightning_tf.data.indexed_data import Part
from lightning_tf.data.shared_look import shared_look
from lightning_tf.data.text_arrays import TextArrays
from lightning_tf.data.text_checks import checked_label_names
from lightning_tf.data.text_files import TextFiles, text_of
from lightning_tf.exceptions import ConfigurationError, DataError, nearest

ENDING = ".txt"
_PARTS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}


class TextFolder(TextArrays):
    """Texts in class folders, one file each.

    The folder holds either ``<class>/text.txt`` or ``train/<class>/text.txt`` with ``test`` and
    ``val`` (or ``validation``) beside it. Files are taken in the order of their names.

    `setup` reads every file once, so that a wrong encoding or an empty text is told before training
    starts; of several workers each reads its part. The texts are not kept: a batch reads its files.

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

    loads_together = True

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

    def load(self) -> dict[str, Part]:
        """List the files, look at each and split them."""
        files = self.workers.unless_one_fails(self._listed)
        every = [path for paths, _ in files.values() for path in paths]
        found = shared_look(self.workers, self._root, every, partial(self._look, every))
        empty = np.array(list(found), np.int64)
        labels: dict[str, Any] = {}
        kept: list[str] = []
        start = 0
        for part, (paths, given) in files.items():
            inside = empty[(empty >= start) & (empty < start + len(paths))] - start
            start += len(paths)
            chosen = self.not_empty(part, len(paths), inside)
            labels[part] = checked_label_names(part, given, len(paths), self._names)[chosen]
            kept += [paths[index] for index in chosen]
        return self.split(labels, lambda codes: TextFiles(kept, codes, self._encoding))

    def _listed(self) -> dict[str, tuple[list[str], list[str]]]:
        """The files of each part, and the class of each."""
        return {part: self._files(folder) for part, folder in self._part_folders().items()}

    def _look(self, paths: list[str], part: slice) -> dict[int, str]:
        """Which files of a part hold no text; reading them finds a wrong encoding."""
        return {
            index: "empty"
            for index in range(part.start, part.stop)
            if not text_of(paths[index], self._encoding).strip()
        }

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

    def _files(self, folder: Path) -> tuple[list[str], list[str]]:
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        for name in self._wanted or ():
            if name not in found:
                raise ConfigurationError(f"{folder} has no class {name!r}.{nearest(name, found)}")
        files: list[str] = []
        labels: list[str] = []
        for name in self._wanted or found:
            paths = sorted(path for path in (folder / name).iterdir() if path.suffix == ENDING)
            if not paths:
                raise DataError(
                    f"{folder / name} holds no {ENDING} files; put some into it, or remove the "
                    "folder."
                )
            files += [str(path) for path in paths]
            labels += [name] * len(paths)
        if not files:
            raise DataError(f"{folder} has no class folders; put the texts into one for each.")
        return files, labels
