"""Cifar100: 60,000 small photos in 100 classes, which make 20 superclasses."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.image_arrays import ImageArrays, Pair
from lightning_tf.data.sources.data_folder import VARIABLE, data_folders, find_file, missing_file
from lightning_tf.exceptions import DataError

SUPERCLASSES = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
"""The coarse classes in the order of their labels, each with its fine ones."""

SUPERCLASS_OF = {fine: coarse for coarse, all_fine in SUPERCLASSES.items() for fine in all_fine}
CLASS_NAMES = {"fine": sorted(SUPERCLASS_OF), "coarse": list(SUPERCLASSES)}

_ARRAYS, _PICKLES = "cifar100.npz", "cifar-100-python"
_SPLITS = ("train", "test")
_DAMAGED = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


class Cifar100(ImageArrays):
    """50,000 training and 10,000 test photos of 32 x 32 pixels, uint8, three channels.

    Read from the pickles ``train`` and ``test`` of the folder ``cifar-100-python``, as the authors
    give them (no code in them is run), from ``cifar100.npz`` with the arrays x_train, y_train,
    x_test and y_test (fine labels), or by `keras.datasets.cifar100`, which downloads them once.
    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images,
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Attributes:
        superclass_of: The name of the superclass of each fine class; empty for coarse labels.

    Args:
        data_dir: The folder that holds the folder or the file; None looks in $LIGHTNING_TF_DATA,
            then asks `keras.datasets`.
        label_mode: ``fine``, 100 classes, or ``coarse``, their 20 superclasses.
        **options: Those of `ImageArrays`: classes, val_fraction, batch_size, seed, split_seed.

    Raises:
        ConfigurationError: An unknown `label_mode`.
        DataError: The files are nowhere and cannot be downloaded, or are no CIFAR-100; raised by
            `setup`.

    Example:
        >>> data = Cifar100("/data", label_mode="coarse")
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        label_mode: str = "fine",
        **options: Any,
    ) -> None:
        """Check and keep the arguments."""
        self._label_mode = checked_choice("label_mode", label_mode, tuple(CLASS_NAMES))
        super().__init__(class_names=CLASS_NAMES[label_mode], **options)
        self._data_dir = data_dir
        self.superclass_of = SUPERCLASS_OF if label_mode == "fine" else {}

    def read(self) -> dict[str, Pair]:
        """Read the training and test photos."""
        path = self._find()
        if path is None:
            return self._download()
        if path.name == _ARRAYS:
            return self._from_arrays(path)
        return {name: self._from_pickle(path.with_name(name)) for name in _SPLITS}

    def prepare_data(self) -> None:
        """Download the set where its files are nowhere: once, before several workers read it."""
        if self._find() is None:
            self._download()

    def _find(self) -> Path | None:
        names = [f"{_PICKLES}/train", _ARRAYS]
        if self._data_dir is None:
            return find_file(data_folders(None), names)
        # The folder of the pickles itself may be named.
        path = find_file(data_folders(self._data_dir), [*names, "train"])
        if path is None:
            raise missing_file(
                f"{_PICKLES} or {_ARRAYS}", self._data_dir, ", or use 'tfds:cifar100'"
            )
        return path

    def _from_arrays(self, path: Path) -> dict[str, Pair]:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                read = {name: (arrays[f"x_{name}"], arrays[f"y_{name}"]) for name in _SPLITS}
        except _DAMAGED as error:
            raise DataError(f"{path} has no arrays of CIFAR-100: {error!r}.") from error
        if self._label_mode == "fine":
            return read

        for name, (_, y) in read.items():
            if len(y) and not 0 <= y.min() <= y.max() < len(SUPERCLASS_OF):
                raise DataError(f"{path}: y_{name} has labels {y.min()} to {y.max()}, not 0 to 99.")
        order = CLASS_NAMES["coarse"]
        coarse = np.array([order.index(SUPERCLASS_OF[fine]) for fine in CLASS_NAMES["fine"]])
        return {name: (x, coarse[y]) for name, (x, y) in read.items()}

    def _from_pickle(self, path: Path) -> Pair:
        try:
            with path.open("rb") as file:
                batch = _ArraysUnpickler(file, encoding="bytes").load()
            pixels, labels = batch[b"data"], batch[f"{self._label_mode}_labels".encode()]
            images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # planes of colors
        except _DAMAGED as error:
            raise DataError(f"{path} is no file of CIFAR-100: {error!r}.") from error
        return np.ascontiguousarray(images), np.asarray(labels)

    def _download(self) -> dict[str, Pair]:
        try:
            train, test = keras.datasets.cifar100.load_data(self._label_mode)
        except Exception as error:  # of urllib, of the checksum, of the archive
            raise DataError(
                f"No folder {_PICKLES} and no {_ARRAYS} in {VARIABLE}, and "
                f"keras.datasets.cifar100 could not be loaded ({error}); pass data_dir= with their "
                "folder, or use 'tfds:cifar100'."
            ) from error
        return dict(zip(_SPLITS, (train, test), strict=True))


class _ArraysUnpickler(pickle.Unpickler):
    """Reads lists, dicts and arrays, and refuses whatever else a pickle may call."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names, if it is needed for arrays."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}")
        return super().find_class(module, name)
