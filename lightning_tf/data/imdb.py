"""Imdb: 50,000 movie reviews, good and bad ones."""

from __future__ import annotations

import os
from typing import Any

from lightning_tf.data.data_folder import VARIABLE, data_folders, find_file
from lightning_tf.data.text_arrays import Pair
from lightning_tf.data.text_table import TextTable
from lightning_tf.exceptions import DataError

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
        super().__init__("", **{"class_names": ["negative", "positive"], **options})
        self._data_dir = data_dir

    @staticmethod
    def is_at_hand(data_dir: str | os.PathLike[str] | None = None) -> bool:
        """Whether the training file is where it is looked for."""
        return find_file(data_folders(data_dir), [_FILES["train"]]) is not None

    def read(self) -> dict[str, Pair]:
        """Training and test reviews."""
        for part, name in _FILES.items():
            path = find_file(data_folders(self._data_dir), [name])
            if path is None:
                raise DataError(
                    f"No {name} in {self._data_dir or VARIABLE}; pass data_dir= with its folder, "
                    f"set {VARIABLE}, or use 'tfds:imdb_reviews'."
                )
            self._files[part] = path
        return super().read()
