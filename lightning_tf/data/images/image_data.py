"""image_data: the `data=` argument of an image task, resolved."""

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.cifar10 import Cifar10
from lightning_tf.data.images.cifar100 import Cifar100
from lightning_tf.data.images.hugging_face_images import HuggingFaceImages, has_images
from lightning_tf.data.images.idx_files import IdxFiles
from lightning_tf.data.images.image_arrays import ImageArrays
from lightning_tf.data.images.image_datasets import ImageDatasets
from lightning_tf.data.images.image_folder import ImageFolder
from lightning_tf.data.images.image_table import ImageTable
from lightning_tf.data.images.image_targets import CLASSIFICATION
from lightning_tf.data.images.small_sets import Digits, FashionMnist, Mnist5k
from lightning_tf.data.images.tfds_images import TfdsImages
from lightning_tf.data.sources.hugging_face import is_hugging_face
from lightning_tf.data.sources.options import refuse_unknown, shown_data, source_options, use_as_is
from lightning_tf.data.sources.order_options import take_order_options, with_order
from lightning_tf.data.sources.python_batches import is_python_batches
from lightning_tf.data.sources.table_file import is_frame, is_records, is_table_file
from lightning_tf.data.sources.tfds_set import DESCRIPTION, is_builder
from lightning_tf.exceptions import ConfigurationError, nearest
from lightning_tf.storage.remote_data import local_data

IMAGES_RANK = 4

BUILT_IN: dict[str, type[ImageArrays]] = {
    "cifar10": Cifar10,
    "cifar100": Cifar100,
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
    resize: str | None = None,
    broken: str | None = None,
    in_memory: bool | Literal["auto"] | None = None,
    classes: list[str] | None = None,
    num_classes: int | None = None,
    class_names: list[str] | None = None,
    labels: Sequence[Any] | None = None,
    value_range: tuple[float, float] | None = None,
    background: str | tuple[int, int, int] | None = None,
    split: str | None = None,
    splits: Mapping[str, str] | None = None,
    image_key: str | None = None,
    label_key: str | None = None,
    label_mode: str | None = None,
    fewest_classes: int | None = None,
    sampling: str | None = None,
    shuffle: bool | None = None,
    drop_remainder: bool | None = None,
    objective: str | None = None,
    val: Any = None,
    test: Any = None,
    predict: Any = None,
    file_column: str | None = None,
    label_column: str | None = None,
    label_columns: Sequence[str] | None = None,
    label_sep: str | None = None,
    split_column: str | None = None,
    images_dir: str | os.PathLike[str] | None = None,
    missing: str | None = None,
    encoding: str | None = None,
    sep: str | None = None,
    quoting: bool | None = None,
    **unknown: Any,
) -> DataModule:
    """Make a DataModule of labeled images from what a user writes.

    Every option but `data` is handed to the source; None leaves the source's default, and
    one that the source does not know is an error.

    Args:
        data: A name of `BUILT_IN`; ``"tfds:<name>"``, the folder of a prepared set, or a builder of
            TensorFlow Datasets; a folder of class folders; a table with a column of files (CSV,
            TSV, Parquet, ..., a DataFrame or rows as dicts); a Dataset or DatasetDict of
            HuggingFace with a column of images, or of files; a pair of arrays ``(images, labels)``,
            or a pair or triple of such pairs for training, validation and testing; a batched
            `tf.data.Dataset`, or a pair or triple of them; a PyDataset, a torch DataLoader or a
            function that returns an iterator of batches; or a DataModule, which is returned as it
            is. Of a folder or a table also a URL, which is fetched first. ``"cifar10"`` without its
            file is ``"tfds:cifar10"``, ``"cifar100"`` without its files is downloaded by Keras.
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
        resize: ``antialias``, ``bilinear`` or ``draft``, for files: see `ImageDecoding`.
        broken: ``error`` or ``skip``, for a folder.
        in_memory: For files or ``tfds:``: decode once and keep; ``auto``, the default of folders
            and tables, where a quarter of the free memory is enough.
        classes: Keep only these classes.
        num_classes: Number of classes, for arrays and datasets.
        class_names: Their names, for arrays and datasets.
        labels: Every value that a label can have, for arrays and datasets.
        value_range: The values that mean black and white, for arrays and datasets; for a folder,
            of images of more than eight bits.
        background: The color below what is transparent, for files.
        split: What to train on, for ``tfds:``, such as ``train[:10%]``.
        splits: What each split is, for ``tfds:`` and folders.
        image_key: The images' feature, for ``tfds:`` and datasets of dicts.
        label_key: The labels' feature, for the same.
        label_mode: ``fine`` or ``coarse``, for ``cifar100``.
        fewest_classes: How many classes there must be, for datasets.
        sampling: ``balanced`` draws each class equally often, see `balanced_order`; for data that
            are read by index, and so the next two.
        shuffle: Whether training images come in a new order in every epoch.
        drop_remainder: Whether an incomplete last training batch is left out.
        objective: ``classification``, or for arrays, tables and datasets ``multi_label`` or
            ``regression``.
        val: A table to validate on, for a table; and so all that follow, see `ImageTable`.
        test: A table to test on.
        predict: A table of files to predict.
        file_column: The column of the files.
        label_column: The column of the class, or of what `objective` says.
        label_columns: Several columns of labels or numbers.
        label_sep: What stands between several labels in one cell.
        split_column: The column that says of which split a row is.
        images_dir: The folder of the images.
        missing: ``error`` or ``skip``: what becomes of rows whose file is not there.
        encoding: Of a CSV or TSV file.
        sep: Between its fields.
        quoting: Whether quotation marks enclose them.
        **unknown: Refused, with the nearest option.

    Raises:
        ConfigurationError: An unknown name, no such folder, or an option that the source lacks.

    Example:
        >>> data = image_data("digits", batch_size=64)
        >>> data.setup("fit")
        >>> [int(n) for n in next(iter(data.train_dataset(0)))[0].shape]
        [64, 8, 8, 1]
    """
    data, data_dir, images_dir = map(local_data, (data, data_dir, images_dir))
    val, test, predict = map(local_data, (val, test, predict))
    given = {key: value for key, value in locals().items() if key not in ("data", "unknown")}
    options = {key: value for key, value in {**given, **unknown}.items() if value is not None}
    if isinstance(data, DataModule):
        return use_as_is(data, options)
    order = take_order_options(options)
    source, arguments = _source(data, data_dir)
    known = _options(source, data)
    if "objective" not in known and options.pop("objective", CLASSIFICATION) != CLASSIFICATION:
        raise ConfigurationError(
            f"objective={objective!r} has no meaning for data={shown_data(source, data)}, of which "
            "an image has one class: give a table of files and labels, arrays, or a dataset of "
            "batches."
        )
    refuse_unknown(source, data, options, known)
    return with_order(source(*arguments, **options), order)


def _source(data: Any, data_dir: Any) -> tuple[type[DataModule], tuple[Any, ...]]:
    if is_records(data) or is_hugging_face(data):
        return HuggingFaceImages if has_images(data) else ImageTable, (data,)
    # A list is images or texts and their labels; batches in one go through `ImageDatasets` itself.
    if isinstance(data, tf.data.Dataset) or (
        not isinstance(data, list) and is_python_batches(data)
    ):
        return ImageDatasets, (data,)
    if isinstance(data, (tuple, list)) and 2 <= len(data) <= 3:
        if all(item is None or isinstance(item, tf.data.Dataset) for item in data):
            return ImageDatasets, tuple(data)
        if all(item is None or _is_labeled(item) for item in data):
            return ImageArrays, tuple(None if item is None else tuple(item) for item in data)
        if len(data) == 2:
            return ImageArrays, (tuple(data),)

    if is_builder(data):
        return TfdsImages, (data,)
    if isinstance(data, (str, os.PathLike)):
        return _named_source(os.fspath(data), data_dir)
    if is_frame(data):
        return ImageTable, (data,)
    count = f" of {len(data)}" if hasattr(data, "__len__") else ""
    raise ConfigurationError(
        f"data is a {type(data).__name__}{count}; give a name, a folder, a table, a pair of "
        "arrays (images, labels), tf.data.Datasets or a DataModule."
    )


def _named_source(name: str, data_dir: Any) -> tuple[type[DataModule], tuple[Any, ...]]:
    # A name before a folder: one called "mnist" beside the program must not change what it means.
    if name.startswith("tfds:"):
        return TfdsImages, (name.removeprefix("tfds:"),)

    if name == "cifar10" and not Cifar10.is_at_hand(data_dir):
        return TfdsImages, ("cifar10",)
    if name in BUILT_IN:
        return BUILT_IN[name], ()

    folder = Path(name).expanduser()
    if (folder / DESCRIPTION).is_file():
        return TfdsImages, (name,)
    if folder.is_dir():
        return ImageFolder, (name,)
    if is_table_file(name):
        return ImageTable, (name,)
    raise ConfigurationError(
        f"data={name!r} is neither a known name nor a folder nor a table that is there."
        f"{nearest(name, [*BUILT_IN, 'tfds:<name>'])}"
    )


def _is_labeled(item: Any) -> bool:
    """Return whether an item is a pair of images and labels, and no array of images."""
    is_pair = isinstance(item, (tuple, list)) and len(item) == 2
    return is_pair and len(getattr(item[0], "shape", ())) == IMAGES_RANK


def _options(source: type[DataModule], data: Any) -> set[str]:
    # Only what image_data offers: not `default_dir` of the idx files, nor `val` of arrays.
    known = source_options(source) & set(inspect.signature(image_data).parameters)
    if source is not ImageTable:
        known -= {"val", "test", "predict"}  # of arrays and datasets they stand in `data`
    is_named = isinstance(data, str) and data in BUILT_IN  # such a set has its own classes
    fixed = {"num_classes", "class_names", "labels", "value_range", "objective"}
    return known - fixed if is_named else known
