"""RecordImages: encoded images in array_record files, read and decoded by index."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.pipeline.array_records import ArrayRecords
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.map_and_batch import map_and_batch
from lightning_tf.data.pipeline.order import Indices

BLOCK = 128  # records read by one call of Python; at most three such blocks wait in memory


class RecordImages:
    """Examples of TensorFlow Datasets with an image and a label, which stay on the disk.

    A pipeline reads the records that its indices name, in blocks, and nothing else; it takes the
    examples apart and decodes the images in parallel, in the order of the indices. Batches are
    those of `EncodedImages`.

    Attributes:
        num_classes: Labels are below it; to be set before batches are asked for, where the feature
            does not know.

    Args:
        records: Serialized examples.
        features: The set's features by name (`builder.info.features`).
        image_key: The feature that holds the image.
        label_key: The feature that holds the label.
        decoding: Of the images.

    Example:
        >>> import tensorflow_datasets as tfds
        >>> from types import SimpleNamespace
        >>> file = SimpleNamespace(
        ...     filename="photos.array_record", skip=0, take=100, examples_in_shard=100
        ... )
        >>> features = {
        ...     "image": tfds.features.Image(),
        ...     "label": tfds.features.ClassLabel(num_classes=2),
        ... }
        >>> records = ArrayRecords("photos", [file])
        >>> source = RecordImages(records, features, "image", "label", ImageDecoding((8, 6)))
        >>> batches = source.batches(np.arange(100), batch_size=30)
        >>> len(batches), batches.element_spec[0].shape.as_list()
        (4, [None, 8, 6, 3])
    """

    def __init__(
        self,
        records: ArrayRecords,
        features: Any,
        image_key: str,
        label_key: str,
        decoding: ImageDecoding,
    ) -> None:
        self._records, self._decoding = records, decoding
        self._features = {image_key: features[image_key], label_key: features[label_key]}
        self._image_key, self._label_key = image_key, label_key
        self.num_classes: int = getattr(features[label_key], "num_classes", 2**31)
        self._graph, self._read_block = self._trace_reading()

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these images in this order; the last one may be smaller.

        An unlabeled image (-1) or a label beyond the classes is an error when it is read.
        """
        return self._mapped(self._pair, indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without labels, which may be -1."""
        return self._mapped(self._image, indices, batch_size)

    def read_labels(self, indices: Indices) -> NDArray[np.int64]:
        """Read the labels of these examples.

        The whole records are read, images included, because the files have no columns; nothing
        is decoded.

        Raises:
            DataError: A file is missing or damaged.
        """
        import tensorflow_datasets as tfds

        key = self._label_key
        specification = tfds.features.FeaturesDict({key: self._features[key]}).tf_example_spec
        labels = np.zeros(len(indices), np.int64)
        # Block by block: the images of all records would not fit into memory.
        for start in range(0, len(indices), BLOCK):
            block = slice(start, start + BLOCK)
            records = self._records.read(indices[block].tolist())
            labels[block] = tf.io.parse_example(records, specification)[key]
        return labels

    def decode_all(self, labels: NDArray[np.int32]) -> ArraySource:
        """Decode every image once, into height x width x channels bytes for each.

        Args:
            labels: Of all of them.
        """
        everything = np.arange(len(self._records), dtype=np.int64)
        batches = list(self.inputs(everything, BLOCK).as_numpy_iterator())
        return ArraySource(np.concatenate(batches), labels)

    def close(self) -> None:
        """Close the files; the next batch opens them again."""
        self._records.close()

    def _mapped(
        self, make: Callable[[tf.Tensor], Any], indices: Indices, batch_size: int
    ) -> tf.data.Dataset:
        plain = tf.autograph.experimental.do_not_convert
        records = (  # scalars of bytes, one for each index
            tf.data.Dataset.from_tensor_slices(indices)
            .batch(BLOCK)
            .map(plain(self._blocks), num_parallel_calls=1)  # a thread of its own
            .prefetch(1)
            .unbatch()
            .apply(tf.data.experimental.assert_cardinality(len(indices)))  # unbatch forgets it
        )
        return map_and_batch(records, plain(make), batch_size)

    def _trace_reading(self) -> tuple[tf.Graph, Any]:
        # TensorFlow keeps a Python function of a graph for as long as the outermost graph lives.
        # That would be the global one: every epoch would leave a function behind, and with it this
        # source and its files. Hence a graph of our own, and one trace for all pipelines.
        graph = tf.Graph()
        with graph.as_default(), tf.device("CPU:0"):
            reading = tf.function(
                # Which record an index names never changes: a function without state.
                lambda i: tf.numpy_function(self._read, [i], tf.string, stateful=False),
                autograph=False,
            ).get_concrete_function(tf.TensorSpec([None], tf.int64))
        return graph, reading

    def _blocks(self, indices: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(self._read_block(indices), (None,))

    def _read(self, indices: NDArray[np.int64]) -> NDArray[np.object_]:
        return np.array(self._records.read(indices.tolist()), dtype=object)

    def _pair(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = self._parse(record, self._image_key, self._label_key)
        label = example[self._label_key]
        # The cast waits for the check: without the dependency a graph would leave it out.
        is_known = tf.debugging.Assert(
            (label >= 0) & (label < self.num_classes),
            [f"{self._records.label}: a label is not within 0 to {self.num_classes - 1}:", label],
        )
        with tf.control_dependencies([is_known]):
            label = tf.cast(label, tf.int32)
        return self._decoding.decode_and_resize(example[self._image_key]), label

    def _image(self, record: tf.Tensor) -> tf.Tensor:
        return self._decoding.decode_and_resize(
            self._parse(record, self._image_key)[self._image_key]
        )

    def _parse(self, record: tf.Tensor, *keys: str) -> Any:
        import tensorflow_datasets as tfds

        # The image stays encoded: `ImageDecoding` decodes every source of images.
        wanted = tfds.features.FeaturesDict({key: self._features[key] for key in keys})
        encoded = {key: tfds.decode.SkipDecoding() for key in keys if key == self._image_key}
        return wanted.deserialize_example(record, decoders=encoded)
