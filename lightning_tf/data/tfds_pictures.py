"""TfdsPictures: image classification sets of TensorFlow Datasets."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from lightning_tf.data.decoded_pictures import DecodedPictures
from lightning_tf.data.indexed_data import IndexedData, Part
from lightning_tf.data.order import carve
from lightning_tf.data.picture_checks import checked_class_names, checked_labels
from lightning_tf.data.picture_folder import checked_image_size
from lightning_tf.data.tfds_set import TfdsSet
from lightning_tf.exceptions import ConfigurationError, DataError


class TfdsPictures(IndexedData):
    """A picture set of TensorFlow Datasets, by name.

    A set that is prepared in `data_dir` is used without touching the network; otherwise
    `prepare_data` downloads it, and fails within seconds where there is no network. The encoded
    pictures are kept in memory, so that any order can be drawn by index; they are decoded in the
    pipeline. Splits named ``validation`` and ``test`` are used; what is missing can be held out.
    Each of several workers reads the whole set, and decodes only its rows of a batch.

    Batches are ``(pictures, labels)``: uint8 of shape (batch, height, width, channels), 0 to 255,
    and int32 of shape (batch,).

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Number of classes, after `setup`.
        class_names: Their names, after `setup`.
        value_range: (0.0, 255.0).

    Args:
        name: As `tfds.builder` takes it, such as ``cifar10`` or ``name/config:1.0.0``.
        data_dir: Where sets are prepared; None is the library's own folder.
        image_size: Height and width to resize to, or one number for both. None keeps the size,
            which works for sets of pictures of one size.
        in_memory: Decode all pictures once in `setup`: faster epochs for height x width x channels
            bytes a picture.
        val_fraction: Share of the training pictures to hold out where the set has no validation.
        test_fraction: The same for testing, 0 by default.
        batch_size: Pictures in a global batch.
        seed: Decides the order of training pictures; None follows the Trainer's seed.
        split_seed: Decides which pictures are held out.

    Raises:
        ConfigurationError: No such set, or pictures of many sizes and no `image_size`.
        DataError: The set is not prepared and cannot be, or holds no labelled pictures.

    Example:
        >>> data = TfdsPictures("cifar10", data_dir="tensorflow_datasets")
    """

    value_range = (0.0, 255.0)
    input_shape: tuple[int, int, int]
    num_classes: int
    class_names: list[str]

    def __init__(
        self,
        name: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        in_memory: bool = False,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed)
        self._set, self._in_memory = TfdsSet(name, data_dir), in_memory
        self._image_size = None if image_size is None else checked_image_size(image_size)
        self._val_fraction, self._test_fraction = val_fraction, test_fraction

    def prepare_data(self) -> None:
        """Download and prepare the set unless that is done."""
        self._set.prepare()

    def load(self) -> dict[str, Part]:
        """Read the encoded pictures of every split."""
        builder = self._set.builder()
        splits = self._set.splits(builder)
        picture_key, label_key = self._keys(builder.info.features)
        features = builder.info.features
        self._set_facts(features[picture_key], features[label_key])
        contents: list[bytes] = []
        labels: list[int] = []
        given = {}
        for part, split in splits.items():
            start = len(labels)
            for picture, label in self._encoded(builder, split, picture_key, label_key):
                contents.extend(picture)
                labels.extend(label)
            given[part] = np.arange(start, len(labels), dtype=np.int64)
        checked = checked_labels(self._set.label, np.array(labels), self.num_classes)
        pictures = DecodedPictures(
            contents, checked, image_size=self._image_size, channels=self.input_shape[2]
        )
        source = pictures.in_memory() if self._in_memory else pictures
        carved = carve(
            given,
            checked,
            self._val_fraction,
            self._test_fraction,
            self.split_seed,
            self.class_names,
        )
        return {part: Part(source, indices) for part, indices in carved.items()}

    def _keys(self, features: Any) -> tuple[str, str]:
        import tensorflow_datasets as tfds

        of_type = [
            [key for key, feature in features.items() if isinstance(feature, kind)]
            for kind in (tfds.features.Image, tfds.features.ClassLabel)
        ]
        if not all(of_type):
            raise DataError(
                f"{self._set.label} holds no pictures with one label each; its features are "
                f"{', '.join(features)}."
            )
        return ("image" if "image" in of_type[0] else of_type[0][0]), (
            "label" if "label" in of_type[1] else of_type[1][0]
        )

    def _set_facts(self, pictures: Any, labels: Any) -> None:
        if pictures.np_dtype != np.uint8:
            raise DataError(
                f"{self._set.label} has {pictures.np_dtype} pictures; only uint8 works."
            )
        height, width, channels = pictures.shape
        if self._image_size is not None:
            height, width = self._image_size
        if height is None or width is None:
            raise ConfigurationError(
                f"{self._set.label} has pictures of many sizes; pass image_size=, such as 160."
            )
        self.input_shape = (height, width, channels if channels in (1, 3) else 3)
        self.num_classes = labels.num_classes
        self.class_names = checked_class_names(labels.names, self.num_classes)

    def _encoded(self, builder: Any, split: str, picture_key: str, label_key: str) -> Any:
        import tensorflow_datasets as tfds

        # Undecoded, in the order of the files: the same examples at the same indices every time.
        dataset = builder.as_dataset(
            split=split,
            decoders={picture_key: tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(try_autocache=False),
            shuffle_files=False,
        )
        return dataset.map(lambda x: (x[picture_key], x[label_key])).batch(1000).as_numpy_iterator()
