"""EncodedImages: encoded images, decoded and resized on their way into a batch."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.images.image_decoding import ImageDecoding
from lightning_tf.data.pipeline.array_source import ArraySource
from lightning_tf.data.pipeline.map_and_batch import map_and_batch
from lightning_tf.data.pipeline.options import disable_autotune, parallel_calls
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.distribute.workers import SINGLE_WORKER, Workers


class EncodedImages:
    """Image files, or their contents, decoded in the pipeline.

    Batches are ``(images, labels)``: uint8 of shape (batch, height, width, channels), 0 to 255,
    and int32 of shape (batch,), or float of shape (batch, targets). Decoding runs in parallel; the
    order stays that of the indices.

    Args:
        contents: File paths, or the encoded images themselves.
        labels: The class of each image, or floats of shape (images, targets); None where there are
            none: then there are only `inputs`.
        are_paths: Whether `contents` are paths.
        is_plain: Whether TensorFlow decodes each of them, as `ImageHeader` has it; None where it
            decodes all.
        orientations: EXIF's number for each, 1 where the pixels are upright; None where all are.
        **decoding: Attributes of `ImageDecoding`. Without an image size, all must be of one size.
    """

    def __init__(
        self,
        contents: Sequence[str | bytes],
        labels: NDArray[Any] | None,
        *,
        are_paths: bool = False,
        is_plain: NDArray[np.bool_] | None = None,
        orientations: Sequence[int] | NDArray[np.integer] | None = None,
        **decoding: Any,
    ) -> None:
        """Take the contents into host memory."""
        # Names of files are bytes, which need not be UTF-8.
        raw = [os.fsencode(item) if isinstance(item, str) else item for item in contents]
        all_plain = is_plain is None or bool(np.all(is_plain))
        upright = orientations is None or bool(np.all(np.equal(orientations, 1)))
        with tf.device("CPU:0"):
            self._contents = tf.constant(raw, tf.string)
            # Places in the classes, or numbers of whatever precision they need.
            self._labels: Any = None if labels is None else tf.constant(_compact(labels))
            # What is the same for all is left out of the graph.
            self._is_plain = None if all_plain else tf.constant(is_plain, tf.bool)
            self._orientations = None if upright else tf.constant(orientations, tf.int32)
        self._are_paths, self._decoding = are_paths, ImageDecoding(**decoding)

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these images in this order; the last one may be smaller."""
        elements = tf.data.Dataset.from_tensor_slices(indices)
        return map_and_batch(elements, lambda i: (self._image(i), self._labels[i]), batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without labels."""
        return map_and_batch(tf.data.Dataset.from_tensor_slices(indices), self._image, batch_size)

    def decode_all(self, workers: Workers = SINGLE_WORKER) -> ArraySource:
        """Decode every image once, into height x width x channels bytes for each.

        Args:
            workers: Each decodes a shard and gives it to the others; they need an image size.
        """
        # Each worker holds all pixels in the end: any of them may draw any image.
        shard = workers.shard(len(self._contents))

        def decode_shard() -> NDArray[np.uint8]:
            dataset = self.inputs(np.arange(shard.start, shard.stop, dtype=np.int64), 64)
            count, place = shard.stop - shard.start, 0
            shape = tuple(dataset.element_spec.shape[1:])
            pixels: NDArray[np.uint8] | None = None
            for batch in dataset.as_numpy_iterator():
                if pixels is None:  # only now is a size known that no option says
                    pixels = np.empty((count, *batch.shape[1:]), np.uint8)
                # Into their place at once: batches beside the whole would take twice the memory.
                pixels[place : place + len(batch)] = batch
                place += len(batch)
            # None at all where there are more workers than images.
            return np.zeros((0, *shape), np.uint8) if pixels is None else pixels

        pixels = workers.unless_one_fails(decode_shard)  # (images, height, width, channels)
        return ArraySource(workers.all_gather_rows(pixels), self._labels)

    def find_broken(self, shard: slice | None = None) -> dict[int, str]:
        """Decode every image once and return why not, for each index that cannot be decoded.

        It costs about one epoch's decoding: 1,100 photos of 160 x 220 pixels took 0.7 s on 2 cores.

        Args:
            shard: Which images, from an index to another one; None is all.
        """
        first, end = (0, len(self._contents)) if shard is None else (shard.start, shard.stop)
        return self.reasons(np.arange(first, end, dtype=np.int64))

    def reasons(self, indices: Indices) -> dict[int, str]:
        """Decode these images once and return why not, for each that cannot be decoded."""
        if not len(indices):
            return {}
        # What fails is left out; which images that were shows in the indices that are missing.
        decode = tf.autograph.experimental.do_not_convert(lambda i: (i, tf.size(self._decode(i))))
        whole = disable_autotune(
            tf.data.Dataset.from_tensor_slices(indices)
            .map(decode, num_parallel_calls=parallel_calls())
            .ignore_errors()
            .batch(256)  # one wait of Python for each batch, not for each image
        )
        seen = [batch for batch, _ in whole.as_numpy_iterator()]
        bad = sorted(set(indices.tolist()).difference(*seen))
        return {index: self._reason(index) for index in bad}

    def _content(self, index: tf.Tensor) -> tf.Tensor:
        content = self._contents[index]
        return tf.io.read_file(content) if self._are_paths else content

    def _decode(self, index: tf.Tensor) -> tf.Tensor:
        return self._decoding.decode(
            self._content(index),
            None if self._is_plain is None else self._is_plain[index],
            None if self._orientations is None else self._orientations[index],
        )

    def _image(self, index: tf.Tensor) -> tf.Tensor:
        return self._decoding.resize(self._decode(index))

    def _reason(self, index: int) -> str:
        try:
            self._decode(tf.constant(index))
        except tf.errors.OpError as error:
            # Without TensorFlow's names of nodes and of the operation.
            message = error.message.split("}} ")[-1]
            return str(message.split(" [Op:")[0])
        return "it could be decoded only at the second try"


def _compact(labels: NDArray[Any]) -> NDArray[Any]:
    """Return classes as int32; floats as they are."""
    array: NDArray[Any] = np.asarray(labels)
    return array if array.dtype.kind == "f" else array.astype(np.int32)
