"""UnlabeledImages: an array of images alone, and `generation_data`, which takes one too."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.images.checks import checked_images, checked_range, value_range_of
from lightning_tf.data.images.image_data import image_data
from lightning_tf.data.images.image_header import image_endings
from lightning_tf.data.images.image_spec import ImageSpec, image_spec
from lightning_tf.data.images.unlabeled_image_folder import UnlabeledImageFolder
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.sources.listed_files import subfolders
from lightning_tf.data.sources.options import refuse_unknown, source_options
from lightning_tf.data.sources.split_folders import split_folders
from lightning_tf.data.sources.tfds_set import DESCRIPTION


class UnlabeledImages(IndexedData):
    """Images to learn to make, without classes; all of them train.

    Batches are pairs as everywhere, with the label 0.

    Args:
        images: uint8 or float, shape (images, height, width, channels), or a list of such images.
        value_range: The values of pixels that mean black and white; None goes by the images.
        batch_size: Images in a global batch.
        seed: Decides the order; None follows the Trainer's seed.

    Raises:
        DataError: Wrong rank or dtype, or none at all; raised by `setup`.

    Example:
        >>> data = UnlabeledImages(np.zeros((40, 8, 8, 1), "uint8"))
        >>> data.setup("fit")
        >>> [len(labels) for _, labels in data.train_dataset(0)]
        [32, 8]
    """

    def __init__(
        self,
        images: Any,
        *,
        value_range: tuple[float, float] | None = None,
        batch_size: int = 32,
        seed: int | None = None,
    ) -> None:
        """Keep the arguments."""
        super().__init__(batch_size, seed)
        self.array = images
        if value_range is not None:
            self.value_range = checked_range(value_range)

    value_range: tuple[float, float]

    def load(self) -> dict[str, Split]:
        """Check the images."""
        images = checked_images("training", self.array)
        self.input_shape = images.shape[1:]
        if not hasattr(self, "value_range"):
            self.value_range = value_range_of(images)
        # With a label, so that a GAN's step takes the same pairs from every source.
        source = ArraySource(images, np.zeros(len(images), np.int32))
        return {"train": Split(source, np.arange(len(images), dtype=np.int64))}


def generation_spec(data: DataModule) -> ImageSpec:
    """Return what `image_spec` does; images alone, or of one class, are enough."""
    if not isinstance(data, (UnlabeledImages, UnlabeledImageFolder)):
        return image_spec(data, fewest_classes=1)
    data.setup("fit")
    height, width, channels = data.input_shape
    return ImageSpec((height, width, channels), 1, ["image"], data.value_range)


def generation_data(data: Any, **options: Any) -> DataModule:
    """Make a DataModule of what `image_data` takes, or of images without classes.

    Args:
        data: See `image_data`; or one array, a list of images of one shape, a folder of images
            without class folders or with one, or batched tf.data.Datasets of images alone.
        **options: See `image_data`; None leaves the default. Of a folder without classes those of
            `UnlabeledImageFolder`, of which none is held out unless `val_fraction` says so.

    Raises:
        ConfigurationError: See `image_data`.
    """
    options = {k: v for k, v in options.items() if v is not None}
    if isinstance(data, (str, os.PathLike)) and _is_flat(Path(data).expanduser()):
        refuse_unknown(
            UnlabeledImageFolder, data, options, source_options(UnlabeledImageFolder) - {"labeled"}
        )
        return UnlabeledImageFolder(data, labeled=True, **{"val_fraction": 0.0, **options})

    parts = data if isinstance(data, (tuple, list)) else (data,)
    if all(part is None or isinstance(part, tf.data.Dataset) for part in parts):
        pairs = tuple(map(_labeled, parts))
        options = {"fewest_classes": 1, **options}
        return image_data(pairs[0] if len(pairs) == 1 else pairs, **options)

    if isinstance(data, (tuple, list)) and len(data) == 2 and _is_one_class(*data):
        data = data[0]
    is_list = isinstance(data, list) and data and all(np.ndim(image) == 3 for image in data)
    if is_list or isinstance(data, (np.ndarray, tf.Tensor)):
        refuse_unknown(UnlabeledImages, data, options, source_options(UnlabeledImages))
        return UnlabeledImages(data, **options)
    return image_data(data, **options)


def _is_flat(folder: Path) -> bool:
    """Return whether a folder holds images without class folders, or one class folder."""
    if not folder.is_dir() or (folder / DESCRIPTION).is_file():
        return False
    train = split_folders(folder, image_endings())["train"]
    return len(subfolders(train)) < 2


def _is_one_class(images: Any, labels: Any) -> bool:
    return np.ndim(images) == 4 and np.ndim(labels) in (1, 2) and len(np.unique(labels)) == 1


def _labeled(dataset: tf.data.Dataset | None) -> tf.data.Dataset | None:
    """Return pairs with the label 0 of batches of images alone; other batches as they are."""
    if dataset is None or not isinstance(dataset.element_spec, tf.TensorSpec):
        return dataset
    return dataset.map(lambda images: (images, tf.zeros(tf.shape(images)[:1], tf.int32)))
