"""image_data: the `data=` argument of an image task, resolved."""

import inspect
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.cifar10 import Cifar10
from lightning_tf.data.images.idx_files import IdxFiles
from lightning_tf.data.images.image_arrays import ImageArrays
from lightning_tf.data.images.image_datasets import ImageDatasets
from lightning_tf.data.images.image_folder import ImageFolder
from lightning_tf.data.images.small_sets import Digits, FashionMnist, Mnist5k
from lightning_tf.data.images.tfds_images import TfdsImages
from lightning_tf.data.sources.options import refuse_unknown, source_options, use_as_is
from lightning_tf.exceptions import ConfigurationError, nearest

BUILT_IN: dict[str, type[ImageArrays]] = {
    "cifar10": Cifar10,
    "digits": Digits,
    "fashion_mnist": FashionMnist,
    "mnist": IdxFiles,
    "mnist5k": Mnist5k,
}
"""Names that `image_data` knows without a prefix."""


def image_data(
    data: Any,
    *,
    batch_size: int | None = None,
    seed: int | None = None,
    split_seed: int | None = None,
    val_fraction: float | None = None,
    test_fraction: float | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    file_format: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    crop_to_aspect_ratio: bool | None = None,
    broken: str | None = None,
    in_memory: bool | None = None,
    classes: list[str] | None = None,
    num_classes: int | None = None,
    class_names: list[str] | None = None,
) -> DataModule:
    """Make a DataModule of labeled images from what a user writes.

    Every option but `data` is handed to the source; None leaves the source's default, and
    one that the source does not know is an error.

    Args:
        data: A name of `BUILT_IN`; ``"tfds:<name>"``; a folder of class folders; a pair of arrays
            ``(images, labels)``; a batched `tf.data.Dataset`, or a pair or triple of them for
            training, validation and testing; or a DataModule, which is returned as it is.
            ``"cifar10"`` without its file is ``"tfds:cifar10"``.
        batch_size: Images in a global batch, 32 by default.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.
        val_fraction: Share to hold out for validation where the data bring none.
        test_fraction: Share to hold out for testing where the data bring none.
        data_dir: Where the files of a named set are.
        file_format: ``array_record`` or ``tfrecord``, for ``tfds:``; see `TfdsImages`.
        image_size: Height and width that encoded images are resized to, or one number.
        channels: 1 or 3, for a folder.
        crop_to_aspect_ratio: For a folder, see `ImageFolder`.
        broken: ``error`` or ``skip``, for a folder.
        in_memory: For a folder or ``tfds:``: decode once and keep.
        classes: Keep only these classes.
        num_classes: Number of classes, for arrays and datasets.
        class_names: Their names, for arrays and datasets.

    Raises:
        ConfigurationError: An unknown name, no such folder, or an option that the source lacks.

    Example:
        >>> data = image_data("digits", batch_size=64)
        >>> data.setup("fit")
        >>> [int(n) for n in next(iter(data.train_dataset(0)))[0].shape]
        [64, 8, 8, 1]
    """
    options = {key: value for key, value in locals().items() if key != "data" and value is not None}
    if isinstance(data, DataModule):
        return use_as_is(data, options)
    source, arguments = _source(data, data_dir)
    refuse_unknown(source, data, options, _options(source, data))
    return source(*arguments, **options)


def _source(data: Any, data_dir: Any) -> tuple[type[DataModule], tuple[Any, ...]]:
    if isinstance(data, tf.data.Dataset):
        return ImageDatasets, (data,)
    if isinstance(data, (tuple, list)) and 2 <= len(data) <= 3:
        if all(item is None or isinstance(item, tf.data.Dataset) for item in data):
            return ImageDatasets, tuple(data)
        if len(data) == 2:
            return ImageArrays, (tuple(data),)

    if not isinstance(data, (str, os.PathLike)):
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give a name, a folder, a pair of arrays "
            "(images, labels), tf.data.Datasets or a DataModule."
        )

    # A name before a folder: one called "mnist" beside the program must not change what it means.
    name = os.fspath(data)
    if name.startswith("tfds:"):
        return TfdsImages, (name.removeprefix("tfds:"),)

    if name == "cifar10" and not Cifar10.is_at_hand(data_dir):
        return TfdsImages, ("cifar10",)
    if name in BUILT_IN:
        return BUILT_IN[name], ()

    if Path(name).expanduser().is_dir():
        return ImageFolder, (name,)
    raise ConfigurationError(
        f"data={name!r} is neither a known name nor a folder."
        f"{nearest(name, [*BUILT_IN, 'tfds:<name>'])}"
    )


def _options(source: type[DataModule], data: Any) -> set[str]:
    # Only what image_data offers: not `default_dir` of the idx files, nor `val` of arrays.
    known = source_options(source) & set(inspect.signature(image_data).parameters)
    is_named = isinstance(data, str) and data in BUILT_IN  # such a set has its own classes
    return known - {"num_classes", "class_names"} if is_named else known
