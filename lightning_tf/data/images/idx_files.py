"""IdxFiles: MNIST and the sets that share its file format."""

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.image_arrays import ImageArrays, Pair
from lightning_tf.data.sources.data_folder import VARIABLE, data_folders, find_file
from lightning_tf.exceptions import DataError

_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_DOWNLOADED = frozenset({"mnist", "fashion_mnist"})  # by keras.datasets
_PREFIX = {"train": "train", "test": "t10k"}


class IdxFiles(ImageArrays):
    """Images and labels in the four idx files of MNIST, plain or gzipped.

    The format: LeCun et al. 1998, https://yann.lecun.com/exdb/mnist. Validation images are held
    out of the training files; the test files are the test images.

    Args:
        data_dir: The folder that holds ``train-images-idx3-ubyte`` and the other three files, or
            the same names with ``.gz``. None looks in $LIGHTNING_TF_DATA and in `folder` inside it,
            then has `keras.datasets` download ``mnist`` and ``fashion_mnist``.
        folder: Name of the data set, ``mnist`` by default.
        default_dir: Another folder to look in where `data_dir` is None.
        class_names: A name for each label.
        **options: Those of `ImageArrays`: classes, val_fraction, batch_size, seed, split_seed.

    Raises:
        DataError: A file is missing or is no idx file; raised by `setup`.

    Example:
        Kuzushiji-MNIST's four files::

            task = ImageClassification(IdxFiles("data/kmnist"), network="convnet")
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        folder: str = "mnist",
        default_dir: str | None = None,
        class_names: list[str] | None = None,
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(class_names=class_names, **options)
        self._data_dir, self._folder, self._default_dir = data_dir, folder, default_dir

    def read(self) -> dict[str, Pair]:
        """Read the training and test images: shape (images, height, width, 1), uint8."""
        if self._is_downloaded():
            return self._download()
        return {
            split: (
                self._file(prefix, "images", 3)[..., np.newaxis],
                self._file(prefix, "labels", 1),
            )
            for split, prefix in _PREFIX.items()
        }

    def prepare_data(self) -> None:
        """Download the set where its files are nowhere: once, before several workers read it."""
        if self._is_downloaded():
            self._download()

    def _is_downloaded(self) -> bool:
        is_nowhere = self._data_dir is None and self._find("train", "images", 3) is None
        return self._folder in _DOWNLOADED and is_nowhere

    def _download(self) -> dict[str, Pair]:
        try:
            train, test = getattr(keras.datasets, self._folder).load_data()
        except Exception as error:  # of urllib, of the checksum
            raise DataError(
                f"{self._missing('train', 'images', 3)} keras.datasets.{self._folder} could not be "
                f"loaded either: {error}"
            ) from error
        pairs = dict(zip(_PREFIX, (train, test), strict=True))
        return {split: (x[..., np.newaxis], y) for split, (x, y) in pairs.items()}

    def _file(self, prefix: str, kind: str, rank: int) -> NDArray[Any]:
        path = self._find(prefix, kind, rank)
        if path is None:
            raise DataError(self._missing(prefix, kind, rank))
        return read_idx(path)

    def _find(self, prefix: str, kind: str, rank: int) -> Path | None:
        name = f"{prefix}-{kind}-idx{rank}-ubyte"
        dotted = f"{prefix}-{kind}.idx{rank}-ubyte"  # the name that some archives unpack to
        return find_file(self._folders(), [name, f"{name}.gz", dotted, f"{dotted}.gz"])

    def _folders(self) -> list[Path]:
        folders = data_folders(self._data_dir, *([self._default_dir] if self._default_dir else []))
        # The files themselves may lie in the folder of all data, or in one of the set's name.
        return [place for path in folders for place in (path, path / self._folder)]

    def _missing(self, prefix: str, kind: str, rank: int) -> str:
        name = f"{prefix}-{kind}-idx{rank}-ubyte"
        searched = ", ".join(map(str, self._folders())) or "no folder"
        return (
            f"{self._folder}: no file {name} or {name}.gz (looked in {searched}); pass data_dir= "
            f"with the folder that holds it, or set {VARIABLE}."
        )


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array in an idx file, gzipped or not, whatever its rank and type.

    Raises:
        DataError: The file is no idx file or is cut short.
    """
    content = Path(path).expanduser().read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)

        # Two zeros, a code for the dtype, the rank, then the shape: all big-endian.
        zeros, code, rank = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{rank}I", content, 4)
        if zeros or code not in _DTYPES:
            raise ValueError(f"it begins with {content[:4].hex()}")

        dtype = np.dtype(_DTYPES[code])
        array = np.frombuffer(content, dtype, offset=4 + 4 * rank).reshape(shape)
    except (ValueError, struct.error, EOFError, OSError) as error:
        raise DataError(f"{path} is no whole idx file: {error}. Fetch it again.") from error
    return array.astype(dtype.newbyteorder("="), copy=False)  # the machine's own byte order
