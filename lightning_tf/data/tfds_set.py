"""TfdsSet: a set of TensorFlow Datasets by its name, on the disk or downloaded."""

from __future__ import annotations

import os
import socket
from typing import Any

from lightning_tf.exceptions import ConfigurationError, DataError, nearest

HOST = "storage.googleapis.com"  # where the library keeps its own copies and descriptions
_PARTS = {"train": ("train",), "val": ("validation", "val"), "test": ("test",)}


class TfdsSet:
    """A named set and where it is prepared.

    Args:
        name: As `tfds.builder` takes it.
        data_dir: Where sets are prepared; None is the library's own folder.

    Example:
        >>> TfdsSet("imdb_reviews").label
        'tfds:imdb_reviews'
    """

    def __init__(self, name: str, data_dir: str | os.PathLike[str] | None = None) -> None:
        self.name, self.data_dir = name, data_dir

    @property
    def label(self) -> str:
        """What messages call the set."""
        return f"tfds:{self.name}"

    def prepare(self) -> None:
        """Download and prepare the set unless that is done.

        Raises:
            DataError: It is not prepared, and there is no network.
        """
        builder = self.builder()
        if builder.info.splits:
            return
        try:
            socket.create_connection((HOST, 443), timeout=3).close()
        except OSError as error:
            raise DataError(
                f"{self.label} is not prepared in {builder.data_dir}, and {HOST} cannot be "
                f"reached to download it ({error}). Prepare it where there is a network and pass "
                "data_dir= with its folder."
            ) from error
        builder.download_and_prepare()

    def builder(self) -> Any:
        """What reads the set.

        Raises:
            ConfigurationError: There is no set of that name.
        """
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.registered import DatasetNotFoundError

        try:
            return tfds.builder(self.name, data_dir=self.data_dir)
        except DatasetNotFoundError as error:
            hint = nearest(self.name, tfds.list_builders()).split(" Known:")[0]
            raise ConfigurationError(
                f"TensorFlow Datasets has no set {self.name!r}, and none of that name is prepared "
                f"in {self.data_dir or 'its usual folder'}.{hint}"
            ) from error

    def splits(self, builder: Any) -> dict[str, str]:
        """The set's names of ``train``, ``val`` and ``test``, as far as it has them.

        Raises:
            DataError: It is not prepared, or has nothing to train on.
        """
        names = list(builder.info.splits)
        if not names:
            raise DataError(
                f"{self.label} is not prepared in {builder.data_dir}; call prepare_data(), or pass "
                "data_dir= with the folder that holds it."
            )
        found = {
            part: next((split for split in usual if split in names), None)
            for part, usual in _PARTS.items()
        }
        if found["train"] is None:
            raise DataError(f"{self.label} has no split 'train'; it has {', '.join(names)}.")
        return {part: split for part, split in found.items() if split is not None}
