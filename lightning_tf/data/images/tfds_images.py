"""TfdsImages: image classification sets of TensorFlow Datasets."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_tf.checks import checked_choice
from lightning_tf.data.images.checks import checked_image_size
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.images.image_decoding import RESIZE_METHODS, ImageDecoding, ResizeMethod
from lightning_tf.data.images.image_header import ImageHeader
from lightning_tf.data.images.keep_in_memory import check_in_memory
from lightning_tf.data.images.read_pixels import checked_background
from lightning_tf.data.images.record_images import RecordImages
from lightning_tf.data.indexed_data import IndexedData, Source, Split
from lightning_tf.data.label_values import place_labels
from lightning_tf.data.labels import checked_class_names, checked_labels
from lightning_tf.data.pipeline.array_records import ArrayRecords
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.data.pipeline.splits import consecutive_rows, held_out_fractions
from lightning_tf.data.sources.tfds_features import chosen_features, is_class_label
from lightning_tf.data.sources.tfds_set import TfdsSet
from lightning_tf.exceptions import ConfigurationError, DataError

_log = logging.getLogger(__name__)

_Read = tuple[Source, dict[str, Indices], NDArray[np.int32] | None]


class TfdsImages(IndexedData):
    """An image set of TensorFlow Datasets, by its name, folder or builder.

    A set that is prepared in `data_dir` is used without touching the network; otherwise
    `prepare_data` downloads it, and fails within seconds where there is no network. Which splits
    are used says `chosen_splits`, and the log; what is missing can be held out. Images are decoded
    in the pipeline, by the decoder of `ImageFolder`.

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
    checked when they are read. A held-out split without labels (-1), such as ImageNet's for
    testing, is predicted and not tested on; of a set that stays on the disk, testing is an error.

    Batches are ``(images, labels)``: uint8 of shape (batch, height, width, channels), 0 to 255,
    and int32 of shape (batch,).

    Attributes:
        input_shape: Height, width and channels, after `setup`.
        num_classes: Number of classes, after `setup`.
        class_names: Their names, after `setup`.
        value_range: (0.0, 255.0).

    Args:
        name: As `tfds.builder` takes it, such as ``cifar10``, ``name/config:1.0.0`` or, to train on
            a part, ``mnist[:10%]``; the folder of a prepared set; or a builder.
        data_dir: Where sets are prepared; None is the library's own folder.
        file_format: ``array_record`` or ``tfrecord``: the format to prepare the set in, and to find
            it in. None takes what is there, else the library's default.
        split: What to train on, such as ``train[:10%]``; the set's own other splits are kept.
        splits: What to train, validate and test on, such as
            ``{"train": "train[:80%]", "val": "train[80%:]"}``.
        image_key: The feature that holds the image; see `chosen_features`.
        label_key: The feature that holds the label: a ClassLabel, or integers.
        background: The color below what is transparent.
        image_size: Height and width to resize to, or one number for both. None keeps the size,
            which works for sets of images of one size.
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
        name: Any,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        file_format: str | None = None,
        split: str | None = None,
        splits: Mapping[str, str] | None = None,
        image_key: str | None = None,
        label_key: str | None = None,
        background: str | tuple[int, int, int] = "white",
        image_size: int | tuple[int, int] | None = None,
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
        self._set = TfdsSet(name, data_dir, file_format, split, splits)
        self._in_memory, self._keys = in_memory, (image_key, label_key)
        self._background = checked_background(background)
        self._image_size = None if image_size is None else checked_image_size(image_size)
        self._resize = checked_choice("resize", resize, RESIZE_METHODS)
        self._records: ArrayRecords | None = None
        self._unlabeled: set[str] = set()

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
        keys = chosen_features(
            self._set.label, builder.info, tfds.features.Image, "image", *self._keys
        )
        self._set_shape(builder.info.features[keys[0]])

        read = self._read_by_index if self._set.is_by_index(builder) else self._read_encoded
        source, rows, labels = read(builder, splits, keys)
        unlabeled = {split: rows.pop(split) for split in self._unlabeled if split in rows}
        held_out = self.hold_out(source, rows, labels, self.class_names)
        if "test" in unlabeled:
            held_out["predict"] = Split(source, unlabeled["test"])
        return held_out

    def _read_by_index(self, builder: Any, splits: dict[str, str], keys: tuple[str, str]) -> _Read:
        """Return images that stay on the disk, and their labels where somebody needs them."""
        files = {
            name: builder.info.splits[split].file_instructions for name, split in splits.items()
        }
        self._records = ArrayRecords(
            self._set.label, [item for each in files.values() for item in each]
        )
        feature = builder.info.features[keys[1]]
        source = RecordImages(self._records, builder.info.features, *keys, self.decoding)
        rows = consecutive_rows({name: sum(i.take for i in each) for name, each in files.items()})

        # Without labels nothing is read: with them every training record is, from end to end.
        fractions = held_out_fractions(rows, self._val_fraction, self._test_fraction)
        is_known = is_class_label(feature)
        if is_known:
            self._set_classes(feature.names, feature.num_classes)
            source.num_classes = self.num_classes
            if not self._in_memory and not any(fractions.values()):
                return source, rows, None

        # Those of training come first of all, so that an index finds its label in them, too.
        everything = self._in_memory or not is_known
        wanted = np.arange(len(self._records)) if everything else rows["train"]
        read = source.read_labels(wanted)
        labels = {n: read[r] for n, r in rows.items() if len(r) and r[-1] < len(read)}
        self._note_unlabeled(labels)
        if not is_known:
            self._count_classes(labels, renumbers=False)
            source.num_classes = self.num_classes
        checked = self._checked(labels)
        return source.decode_all(checked) if self._in_memory else source, rows, checked

    def _read_encoded(self, builder: Any, splits: dict[str, str], keys: tuple[str, str]) -> _Read:
        """Return images that are read into memory, encoded as they are in the files."""
        import tensorflow_datasets as tfds

        contents: list[bytes] = []
        labels: dict[str, NDArray[np.int64]] = {}
        image, label = keys
        for name, split in splits.items():
            dataset = self._set.read(builder, split, {image: tfds.decode.SkipDecoding()})
            # In batches: a step from TensorFlow to NumPy for each image would take longer than it.
            batches = dataset.map(lambda x: (x[image], x[label])).batch(1000)
            parts = [np.zeros(0, np.int64)]
            for some_contents, some_labels in batches.as_numpy_iterator():
                contents.extend(some_contents)
                parts.append(some_labels.astype(np.int64))
            labels[name] = np.concatenate(parts)

        self._note_unlabeled(labels)
        feature = builder.info.features[label]
        if is_class_label(feature):
            self._set_classes(feature.names, feature.num_classes)
        else:
            labels = self._count_classes(labels)
        checked = self._checked(labels)

        headers = [ImageHeader.read(content) for content in contents]
        images = EncodedImages(
            contents,
            checked,
            is_plain=np.array([header.is_plain for header in headers]),
            orientations=[header.orientation for header in headers],
            **vars(self.decoding),
        )
        source = images.decode_all() if self._in_memory else images
        return source, consecutive_rows({n: len(part) for n, part in labels.items()}), checked

    def _note_unlabeled(self, labels: Mapping[str, NDArray[Any]]) -> None:
        """Note which held-out splits have no labels, and say so."""
        for name, part in labels.items():
            if name != "train" and len(part) and (part == -1).all():
                self._unlabeled.add(name)
                _log.warning(
                    "%s: the %s split has no labels (-1); %s.",
                    self._set.label,
                    name,
                    "it is predicted, not tested on" if name == "test" else "it is left out",
                )

    def _checked(self, labels: Mapping[str, NDArray[Any]]) -> NDArray[np.int32]:
        """Return the labels of all splits, one after the other; those that are missing are -1."""
        return np.concatenate(
            [
                part.astype(np.int32)
                if name in self._unlabeled
                else checked_labels(f"{self._set.label} {name}", part, self.num_classes)
                for name, part in labels.items()
            ]
        )

    def _count_classes(
        self, labels: Mapping[str, NDArray[np.int64]], renumbers: bool = True
    ) -> dict[str, NDArray[np.int64]]:
        """Learn the classes from the labels themselves; return these as places in the classes."""
        known = {n: part for n, part in labels.items() if n not in self._unlabeled}
        codes, names = place_labels(known)
        if names is not None and not renumbers:
            raise DataError(
                f"{self._set.label} has the labels {', '.join(names[:20])}; of a set that stays on "
                f"the disk they must be 0 to {len(names) - 1}. Pass file_format='tfrecord'."
            )
        largest = max(int(part.max()) for part in codes.values() if len(part))
        self._set_classes(names, largest + 1 if names is None else len(names))
        return {n: codes[n].astype(np.int64) if n in codes else labels[n] for n in labels}

    def _set_shape(self, images: Any) -> None:
        """Take shape and decoding from the set's feature."""
        if images.np_dtype != np.uint8:
            raise DataError(f"{self._set.label} has {images.np_dtype} images; only uint8 works.")
        height, width, channels = images.shape
        if self._image_size is not None:
            height, width = self._image_size
        if height is None or width is None:
            raise ConfigurationError(
                f"{self._set.label} has images of many sizes; pass image_size=, such as 160."
            )

        channels = channels if channels in (1, 3) else 3  # transparency on the background
        self.input_shape = (height, width, channels)
        self.decoding = ImageDecoding(
            self._image_size, channels, background=self._background, resize_method=self._resize
        )

    def _set_classes(self, names: list[str] | None, count: int) -> None:
        self.num_classes = count
        self.class_names = checked_class_names(names, count)
