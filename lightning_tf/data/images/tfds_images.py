"""TfdsImages: image classification sets of TensorFlow Datasets."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.data.images.checks import checked_image_size
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.images.record_images import RecordImages
from lightning_tf.data.indexed_data import IndexedData, Source, Split
from lightning_tf.data.labels import checked_class_names, checked_labels
from lightning_tf.data.pipeline.array_records import ArrayRecords
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.pipeline.splits import consecutive_rows, held_out_fractions
from lightning_tf.data.sources.tfds_set import TfdsSet
from lightning_tf.exceptions import ConfigurationError, DataError

_Read = tuple[Source, dict[str, Indices], NDArray[np.int32] | None]


class TfdsImages(IndexedData):
    """An image set of TensorFlow Datasets, by name.

    A set that is prepared in `data_dir` is used without touching the network; otherwise
    `prepare_data` downloads it, and fails within seconds where there is no network. Splits named
    ``validation`` and ``test`` are used; what is missing can be held out. Images are decoded in
    the pipeline.

    How a set is prepared decides where the encoded images are. Of a set in ``tfrecord``, the
    library's default, `setup` reads all of them into memory, on each of several workers, so that
    any order can be drawn by index. A set in ``array_record`` stays on the disk: each batch is read
    when it comes, by several workers each its own rows, and nothing but indices is kept. Both give
    the same batches.

    `setup` then reads nothing, unless a split has to be held out of the training images, every
    class in proportion. That asks for their labels, and the files have no columns, so that the
    training files are read once from end to end, without decoding: 0.24 ms for an image of 110 kB
    from a disk that gives 460 MB/s, 5 minutes for 1.28 million of them. ImageNet itself brings a
    validation split; for such a set without one, ``val_fraction=0`` saves the time. Labels are
    checked when they are read: splits without labels (-1), such as ImageNet's for testing, can be
    predicted and are an error in testing.

    Batches are ``(images, labels)``: uint8 of shape (batch, height, width, channels), 0 to 255,
    and int32 of shape (batch,).

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Number of classes, after `setup`.
        class_names: Their names, after `setup`.
        value_range: (0.0, 255.0).

    Args:
        name: As `tfds.builder` takes it, such as ``cifar10`` or ``name/config:1.0.0``.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: ``array_record`` or ``tfrecord``: the format to prepare the set in, and to find
            it in. None takes what is there, else the library's default.
        image_size: Height and width to resize to, or one number for both. None keeps the size,
            which works for sets of images of one size.
        in_memory: Decode all images once in `setup`: faster epochs for height x width x channels
            bytes an image.
        val_fraction: Share of the training images to hold out where the set has no validation.
        test_fraction: The same for testing, 0 by default.
        batch_size: Images in a global batch.
        seed: Decides the order of training images; None follows the Trainer's seed.
        split_seed: Decides which images are held out.

    Raises:
        ConfigurationError: No such set, one that is prepared in another format, more files than the
            process may open, or images of many sizes and no `image_size`.
        DataError: The set is not prepared and cannot be, its format cannot be read on this
            platform, or it holds no labeled images.

    Example:
        >>> data = TfdsImages("cifar10", data_dir="tensorflow_datasets")
        >>> data = TfdsImages("imagenet2012", file_format="array_record", image_size=224)
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
        file_format: str | None = None,
        image_size: int | tuple[int, int] | None = None,
        in_memory: bool = False,
        val_fraction: float | None = None,
        test_fraction: float | None = None,
        batch_size: int = 32,
        seed: int | None = None,
        split_seed: int = 0,
    ) -> None:
        """Check and keep the arguments."""
        super().__init__(batch_size, seed, split_seed, val_fraction, test_fraction)
        self._set, self._in_memory = TfdsSet(name, data_dir, file_format), in_memory
        self._image_size = None if image_size is None else checked_image_size(image_size)
        self._records: ArrayRecords | None = None

    def prepare_data(self) -> None:
        """Download and prepare the set unless that is done."""
        self._set.prepare()

    def teardown(self, stage: str) -> None:
        """Close the files of a set that is read by index."""
        if self._records is not None:
            self._records.close()

    def load(self) -> dict[str, Split]:
        """Read the encoded images of every split, or only find out where they are."""
        import tensorflow_datasets as tfds

        builder = self._set.builder()
        splits = self._set.splits(builder)
        keys = self._set.keys(builder, tfds.features.Image, "image")
        self._set_spec(*(builder.info.features[key] for key in keys))

        read = self._read_by_index if self._set.is_by_index(builder) else self._read_encoded
        source, rows, labels = read(builder, splits, keys)
        return self.hold_out(source, rows, labels, self.class_names)

    def _read_by_index(self, builder: Any, splits: dict[str, str], keys: tuple[str, str]) -> _Read:
        """Return images that stay on the disk, and their labels where somebody needs them."""
        files = {
            name: builder.info.splits[split].file_instructions for name, split in splits.items()
        }
        self._records = ArrayRecords(
            self._set.label, [item for each in files.values() for item in each]
        )
        decoding = ImageDecoding(self._image_size, self.input_shape[2])
        source = RecordImages(self._records, builder.info.features, *keys, decoding)
        rows = consecutive_rows({name: sum(i.take for i in each) for name, each in files.items()})

        # Without labels nothing is read: with them every training record is, from end to end.
        fractions = held_out_fractions(rows, self._val_fraction, self._test_fraction)
        if not self._in_memory and not any(fractions.values()):
            return source, rows, None

        # Those of training come first of all, so that an index finds its label in them, too.
        wanted = np.arange(len(self._records)) if self._in_memory else rows["train"]
        labels = checked_labels(self._set.label, source.read_labels(wanted), self.num_classes)
        return source.decode_all(labels) if self._in_memory else source, rows, labels

    def _read_encoded(self, builder: Any, splits: dict[str, str], keys: tuple[str, str]) -> _Read:
        """Return images that are read into memory, encoded as they are in the files."""
        import tensorflow_datasets as tfds

        contents: list[bytes] = []
        labels: list[int] = []
        counts = {}
        image, label = keys
        for name, split in splits.items():
            dataset = self._set.read(builder, split, {image: tfds.decode.SkipDecoding()})
            # In batches: a step from TensorFlow to NumPy for each image would take longer than it.
            batches = dataset.map(lambda x: (x[image], x[label])).batch(1000)
            before = len(labels)
            for some_contents, some_labels in batches.as_numpy_iterator():
                contents.extend(some_contents)
                labels.extend(some_labels)
            counts[name] = len(labels) - before

        checked = checked_labels(self._set.label, np.array(labels), self.num_classes)
        images = EncodedImages(
            contents, checked, image_size=self._image_size, channels=self.input_shape[2]
        )
        source = images.decode_all() if self._in_memory else images
        return source, consecutive_rows(counts), checked

    def _set_spec(self, images: Any, labels: Any) -> None:
        """Take shape and classes from the set's features."""
        if images.np_dtype != np.uint8:
            raise DataError(f"{self._set.label} has {images.np_dtype} images; only uint8 works.")
        height, width, channels = images.shape
        if self._image_size is not None:
            height, width = self._image_size
        if height is None or width is None:
            raise ConfigurationError(
                f"{self._set.label} has images of many sizes; pass image_size=, such as 160."
            )

        self.input_shape = (height, width, channels if channels in (1, 3) else 3)
        self.num_classes = labels.num_classes
        self.class_names = checked_class_names(labels.names, self.num_classes)
