"""NewFiles: image files to predict, each decoded once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.network_images import NetworkImages
from lightning_tf.data.images.scan_images import ScannedImages, scan_images
from lightning_tf.data.sources.listed_files import shown_path
from lightning_tf.distribute.workers import SINGLE_WORKER
from lightning_tf.exceptions import DataError

# What decoding fails with, natively and by pillow; memory that ends is no fault of a file.
UNREADABLE = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.DataLossError,
    tf.errors.UnknownError,
)


class NewFiles:
    """Image files whose pixels, 0 to 255, become values of a task's range.

    Only their headers are read beforehand. A file that cannot be decoded ends the pipeline: then
    all are looked at, so that the error or the warning counts them, and reading goes on behind what
    was read.

    Attributes:
        names: Of the files, one for each row; those that are skipped leave it.

    Args:
        files: Paths of files that are there.
        names: What to call each.
        network: Brings them to a task's values.
        broken: ``error`` or ``skip``: what becomes of files that cannot be decoded.

    Raises:
        DataError: A header is none, or no file is left.
    """

    def __init__(
        self, files: Sequence[str], names: Sequence[str], network: NetworkImages, broken: str
    ) -> None:
        self._all_names, self._network = names, network
        self._scan = partial(
            scan_images, SINGLE_WORKER, _folder_of(files), files, network.decoding, action=broken
        )
        self.names: list[str] = []
        self._take(self._scan(decodes=False))

    def dataset(self, batch_size: int) -> tf.data.Dataset:
        """Return batches of all files in their order."""
        return self._inputs(0, batch_size)

    def batches(self, batch_size: int) -> Iterator[Any]:
        """Yield the same batches; broken files are refused by name or skipped.

        Raises:
            DataError: A file is broken, and such are not to be skipped, or no file is left.
        """
        read = 0
        while read < len(self.names):
            try:
                for batch in self._inputs(read, batch_size):
                    yield batch
                    read += len(batch)
            except UNREADABLE:
                count, scanned = len(self.names), self._scan()
                self._take(scanned)
                if len(self.names) == count:  # nothing is wrong with the files
                    raise

    def explain_error(self, error: Exception) -> DataError | None:
        """Return which files are broken, of an error of TensorFlow that these may have caused."""
        if isinstance(error, UNREADABLE):
            try:
                self._scan(action="error")
            except DataError as refused:
                return refused
        return None

    def shown(self, indices: Any) -> NDArray[np.floating]:
        """Return images as the network sees them, in [0, 1]."""
        batches = self._images.inputs(np.asarray(indices, np.int64), 64).as_numpy_iterator()
        return np.concatenate(list(batches)).astype(np.float32) / 255.0

    def _take(self, scanned: ScannedImages) -> None:
        whole = np.setdiff1d(np.arange(len(scanned.paths)), scanned.broken)
        if not len(whole):
            raise DataError(
                f"none of {len(scanned.paths)} images can be decoded; give whole files."
            )
        self._images = scanned.encoded(None, whole)
        self.names[:] = [shown_path(self._all_names[row]) for row in whole]

    def _inputs(self, start: int, batch_size: int) -> tf.data.Dataset:
        rows = np.arange(start, len(self.names), dtype=np.int64)
        images = self._images.inputs(rows, batch_size)
        return images if self._network.is_bytes else images.map(self._network.from_bytes)


def _folder_of(files: Sequence[str]) -> Path:
    """Return the folder that all files are in; of one the file, as messages name it."""
    paths = set(files)
    if len(paths) > 1:  # of thousands of files there are few folders
        paths = {os.path.dirname(path) for path in paths}
    try:
        return Path(os.path.commonpath(paths))
    except ValueError:  # relative paths beside absolute ones
        return Path(os.path.commonpath([os.path.abspath(path) for path in paths]))
