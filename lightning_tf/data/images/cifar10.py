"""Cifar10: 60,000 small photos in ten classes."""

import os
from typing import Any

import numpy as np

from lightning_tf.data.images.image_arrays import ImageArrays, Pair
from lightning_tf.data.sources.data_folder import data_folders, find_file, missing_file
from lightning_tf.exceptions import DataError

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_FILE = "cifar10.npz"
_SPLITS = ("train", "test")


class Cifar10(ImageArrays):
    """50,000 training and 10,000 test photos of 32 x 32 pixels, uint8, three channels.

    Read from ``cifar10.npz`` with the arrays x_train, y_train, x_test and y_test. Source:
    Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images,
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Args:
        data_dir: The folder that holds the file; None looks in $LIGHTNING_TF_DATA.
        **options: Those of `ImageArrays`: classes, val_fraction, batch_size, seed, split_seed.

    Raises:
        DataError: The file is missing or lacks an array; raised by `setup`.

    Example:
        >>> data = Cifar10("/data", classes=["airplane", "automobile"], val_fraction=0.0)
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        """Check and keep the arguments."""
        super().__init__(class_names=list(CLASS_NAMES), **options)
        self._data_dir = data_dir

    @staticmethod
    def is_at_hand(data_dir: str | os.PathLike[str] | None = None) -> bool:
        """Return whether the file is where it is looked for."""
        return find_file(data_folders(data_dir), [_FILE]) is not None

    def read(self) -> dict[str, Pair]:
        """Read the training and test photos."""
        path = find_file(data_folders(self._data_dir), [_FILE])
        if path is None:
            raise missing_file(_FILE, self._data_dir, ", or use 'tfds:cifar10'")
        with np.load(path, allow_pickle=False) as arrays:
            try:
                return {name: (arrays[f"x_{name}"], arrays[f"y_{name}"]) for name in _SPLITS}
            except KeyError as error:
                raise DataError(f"{path}: {error}; its arrays are {arrays.files}.") from error
