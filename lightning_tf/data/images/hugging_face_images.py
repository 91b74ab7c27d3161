"""HuggingFaceImages: an image set of HuggingFace's package datasets."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.checks import check_channels, checked_image_size
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.images.image_decoding import RESIZE_METHODS, ImageDecoding, ResizeMethod
from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.keep_in_memory import check_in_memory
from lightning_tf.data.images.read_pixels import checked_background
from lightning_tf.data.indexed_data import IndexedData, Split
from lightning_tf.data.label_values import place_labels
from lightning_tf.data.labels import checked_class_names
from lightning_tf.data.pipeline.splits import consecutive_rows
from lightning_tf.data.sources.hugging_face import (
    class_names_of,
    hugging_face_splits,
    is_hugging_face,
)
from lightning_tf.exceptions import ConfigurationError, DataError, nearest


class HuggingFaceImages(IndexedData):
    """A Dataset or DatasetDict with a column of images and one of labels.

    `setup` reads all encoded images into memory, so that any order can be drawn by index; they are
    decoded in the pipeline, by the decoder of `ImageFolder`. Batches are ``(images, labels)``:
    uint8 of shape (batch, height, width, channels), 0 to 255, and int32 of shape (batch,).

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Number of classes, after `setup`.
        class_names: Their names, after `setup`: those of a ClassLabel, else see `place_labels`.
        value_range: (0.0, 255.0).

    Args:
        data: A Dataset to train on, or a DatasetDict with the splits that `hugging_face_splits`
            knows.
        image_key: The column of the images; None takes ``image``, else the only one of images.
        label_key: The column of the labels; None takes ``label``, else the only ClassLabel.
        image_size: Height and width to resize to, or one number for both.
        channels: 1 for gray, 3 for color.
        background: The color below what is transparent.
        resize: How images of another size are resized: ``antialias``, ``bilinear`` or ``draft``,
            see `ImageDecoding`.
        in_memory: Decode all images once in `setup`: faster epochs for height x width x channels
            bytes an image.
        val_fraction: Share of the training images to hold out where the set has no validation.
        test_fraction: The same for testing, 0 by default.
        batch_size: Images in a global batch.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.

    Raises:
        ConfigurationError: A column is not there, or it is not clear which one is meant.
        DataError: An image or a label is missing or broken; raised by `setup`.

    Example:
        A set of the hub::

            data = HuggingFaceImages(datasets.load_dataset("beans"), image_size=160)
            task = ImageClassification(data)
    """

    value_range = (0.0, 255.0)
    num_classes: int
    class_names: list[str]

    def __init__(
        self,
        data: Any,
        *,
        image_key: str | None = None,
        label_key: str | None = None,
        image_size: int | tuple[int, int] = 224,
        channels: int = 3,
        background: str | tuple[int, int, int] = "white",
        resize: ResizeMethod = "antialias",
        in_memory: bool = False,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        check_in_memory(in_memory, takes_auto=False)
        check_channels(channels)
        self._splits, self._in_memory = hugging_face_splits(data), in_memory
        features = self._splits["train"].features
        self._image = _column("image_key", image_key, "image", features, "Image")
        self._label = _column("label_key", label_key, "label", features, "ClassLabel")
        height, width = checked_image_size(image_size)
        self.input_shape = (height, width, channels)
        self.decoding = ImageDecoding(
            (height, width),
            channels,
            background=checked_background(background),
            resize_method=checked_choice("resize", resize, RESIZE_METHODS),
        )

    def load(self) -> dict[str, Split]:
        """Read the encoded images and the labels of every split."""
        contents: list[bytes] = []
        labels: dict[str, NDArray[Any]] = {}
        names = class_names_of(self._splits["train"], self._label)
        for name, part in self._splits.items():
            # Cells as they are stored: images encoded, labels as numbers.
            stored = part.select_columns([self._image, self._label]).with_format("arrow")[:]
            cells = stored[self._image].to_pylist()
            contents += [_content(cell, name, row) for row, cell in enumerate(cells)]
            labels[name] = np.array(stored[self._label].to_pylist(), object)

        codes, found = place_labels(labels, class_names=names)
        largest = max(int(part.max()) for part in codes.values() if len(part))
        self.num_classes = largest + 1 if found is None else len(found)
        self.class_names = checked_class_names(found, self.num_classes)

        places = np.concatenate(list(codes.values()))
        headers = [ImageHeader.read(content) for content in contents]
        images = EncodedImages(
            contents,
            places,
            is_plain=np.array([header.is_plain for header in headers]),
            orientations=[header.orientation for header in headers],
            **vars(self.decoding),
        )
        source = images.decode_all() if self._in_memory else images
        rows = consecutive_rows({name: len(part) for name, part in codes.items()})
        return self.hold_out(source, rows, places, self.class_names)


def has_images(data: Any) -> bool:
    """Return whether data are a Dataset or DatasetDict that has a column of images."""
    if not is_hugging_face(data):
        return False
    # A Dataset, or what all splits of a DatasetDict share.
    parts = data.values() if isinstance(data, dict) else [data]
    features = next(iter(parts)).features
    return any(type(feature).__name__ == "Image" for feature in features.values())


def _column(option: str, chosen: str | None, default: str, features: Any, kind: str) -> str:
    """Return the column that an option names, or the one that must be meant.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    if chosen is not None or default in features:
        name = default if chosen is None else chosen
        if name not in features:
            hint = nearest(name, features)
            raise ConfigurationError(f"{option}={name!r}: the data set has no such column.{hint}")
        return name
    fitting = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if len(fitting) != 1:
        raise ConfigurationError(
            f"the data set has the columns {', '.join(features)}; name one with {option}=."
        )
    return str(fitting[0])


def _content(cell: Any, split: str, row: int) -> bytes:
    """Return an image's file, which a cell holds or names."""
    if isinstance(cell, dict) and cell.get("bytes"):
        return bytes(cell["bytes"])
    if isinstance(cell, dict) and cell.get("path"):
        return Path(cell["path"]).read_bytes()
    raise DataError(f"The {split} image of row {row} is {cell!r}; give encoded images.")
