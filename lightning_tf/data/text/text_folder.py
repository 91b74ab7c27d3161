"""TextFolder: a folder with one folder of text files for each class."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.indexed_data import Split
from lightning_tf.data.sources.class_folders import class_files
from lightning_tf.data.sources.shared_scan import shared_scan
from lightning_tf.data.text.checks import checked_label_names
from lightning_tf.data.text.text_arrays import TextArrays
from lightning_tf.data.text.text_files import TextFiles, read_text
from lightning_tf.storage.remote_data import local_data

ENDING = ".txt"


class TextFolder(TextArrays):
    """Texts in class folders, one file each.

    The folder holds either ``<class>/text.txt`` or ``train/<class>/text.txt`` with ``test`` and
    ``val`` (or ``validation``, ``dev``, ...; see `split_folders`) beside it; files may lie deeper
    in a class's folder. They are taken in the order of their names; names that begin with a dot are
    left out. One line of the log says what is read and what is left out.

    `setup` reads every file once, so that a wrong encoding or an empty text is told before training
    starts; of several workers each reads a shard. Texts are not kept: a batch reads its files.

    Args:
        root: The folder.
        classes: Take only these class folders, labeled in this order; the unpacked IMDB archive
            has a third folder of unlabeled texts, ``classes=["neg", "pos"]`` leaves it out.
        splits: The folder of each split, where the names do not tell; see `ImageFolder`.
        endings: Of the files, capitals or not; ``[""]`` for files without an ending.
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
        splits: Mapping[str, str] | None = None,
        endings: Sequence[str] = (ENDING,),
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(**options)
        self._root, self._classes, self._encoding = (
            Path(local_data(root)).expanduser(),
            classes,
            encoding,
        )
        self._splits, self._endings = splits, _checked_endings(endings)

    def load(self) -> dict[str, Split]:
        """List the files, read each once and split them."""
        folders, files = self.workers.unless_one_fails(
            lambda: class_files(self._root, "texts", self._endings, self._classes, self._splits)
        )
        paths = [path for listed, _ in files.values() for path in listed]

        report = shared_scan(self.workers, self._root, paths, partial(self._scan, paths))
        empty = np.array(list(report), np.int64)  # places in `paths`

        # Counted within each split, as in texts in memory.
        labels: dict[str, NDArray[np.object_]] = {}
        full: list[str] = []
        start = 0
        for split, (listed, places) in files.items():
            count = len(listed)
            chosen = self.skip_empty(
                split, count, empty[(empty >= start) & (empty < start + count)] - start
            )

            names = [folders[place] for place in places]
            labels[split] = checked_label_names(split, names, count, self._names)[chosen]
            full += [listed[index] for index in chosen]
            start += count
        return self.split(labels, lambda codes: TextFiles(full, codes, self._encoding))

    def _scan(self, paths: list[str], shard: slice) -> dict[int, str]:
        """Return which files of a shard hold no text; reading them shows a wrong encoding."""
        return {
            index: "empty"
            for index in range(shard.start, shard.stop)
            if not read_text(paths[index], self._encoding).strip()
        }


def _checked_endings(endings: Sequence[str]) -> tuple[str, ...]:
    """Return endings in lower case, each with its dot."""
    given = [endings] if isinstance(endings, str) else list(endings)
    return tuple(f".{ending.lower().lstrip('.')}" if ending else "" for ending in given)
