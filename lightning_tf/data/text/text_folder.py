"""TextFolder: a folder with one folder of text files for each class."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.indexed_data import Part
from lightning_tf.data.pipeline.mapped_batches import mapped_batches
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.sources.shared_scan import shared_look
from lightning_tf.data.text.checks import checked_label_names
from lightning_tf.data.text.text_arrays import TextArrays
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


NEEDS_NO_DECODING = ("utf-8", "ascii")


class TextFiles:
    r"""One text a file, read by index; only the paths lie in memory.

    Batches are ``(texts, labels)``: strings in UTF-8 of shape (batch,), whose lines all end in
    ``\n`` as when Python reads a text file, and int32 of shape (batch,). Files are read in
    parallel; the order stays that of the indices. Another encoding than UTF-8 is decoded by Python:
    TensorFlow's decoder differs from it in what it takes (a byte order mark, bytes of Windows'
    code pages that stand for nothing).

    Args:
        paths: Of the files.
        labels: The class of each.
        encoding: Of the files; see `text_of`, which finds out whether they are in it.

    Example:
        >>> files = TextFiles(["good.txt", "bad.txt"], np.array([1, 0], "int32"))
        >>> batches = files.batches(np.array([1, 0]), 2)
    """

    def __init__(self, paths: Sequence[str], labels: NDArray[Any], encoding: str = "utf-8") -> None:
        """Take the paths into host memory."""
        with tf.device("CPU:0"):
            self._paths = tf.constant([os.fsencode(path) for path in paths], tf.string)
            self._labels = tf.constant(labels, tf.int32)
        self._encoding = encoding

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Batches of these texts in this order; the last one may be smaller."""
        return self._mapped(lambda i: (self._text(i), self._labels[i]), indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """The same batches without labels."""
        return self._mapped(self._text, indices, batch_size)

    def _mapped(
        self, read: Callable[[tf.Tensor], Any], indices: Indices, batch_size: int
    ) -> tf.data.Dataset:
        return mapped_batches(tf.data.Dataset.from_tensor_slices(indices), read, batch_size)

    def _text(self, index: tf.Tensor) -> tf.Tensor:
        content = tf.io.read_file(self._paths[index])
        if codecs.lookup(self._encoding).name in NEEDS_NO_DECODING:
            return tf.strings.regex_replace(content, "\r\n?", "\n")
        return tf.ensure_shape(tf.numpy_function(self._decoded, [content], tf.string), ())

    def _decoded(self, content: bytes) -> bytes:
        text = io.TextIOWrapper(io.BytesIO(content), encoding=self._encoding).read()
        return text.encode("utf-8", "replace")  # a lone surrogate is no character


def text_of(path: str, encoding: str) -> str:
    """The text of a file.

    Raises:
        DataError: It is in another encoding, or there is no such encoding; names the file.
    """
    try:
        return Path(path).read_text(encoding=encoding)
    except (UnicodeError, LookupError) as error:
        raise DataError(
            f"{path} cannot be read in {encoding}: {error}. Pass encoding= with the one that it "
            "was written in."
        ) from error
