"""DetectionImages: letterboxed images and their objects, read by index."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.boxes.letterbox import letterbox_image
from lightning_tf.data.images.encoded_images import EncodedImages
from lightning_tf.data.pipeline.gathered_batches import GatheredBatches
from lightning_tf.data.pipeline.map_and_batch import map_and_batch
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.distribute.workers import SINGLE_WORKER, Workers

TRUTH = ("boxes", "labels", "ignored")
"""What batches to predict lack."""


class DetectionImages(EncodedImages):
    """Encoded images of any size, turned upright and brought to one size in the pipeline.

    Batches are ``(images, objects)``: uint8 of shape (batch, height, width, 3), 0 to 255; and a
    dict of what `objects` holds, one row for each image.

    Args:
        contents: File paths, or encoded images as bytes, in any mixture.
        orientations: EXIF's number for each, 1 where the pixels are upright.
        objects: Arrays whose first dimension is the images'.
        image_size: Height and width of the input.
        resize: ``letterbox`` or ``stretch``.
    """

    def __init__(
        self,
        contents: Sequence[str | bytes],
        orientations: Sequence[int],
        objects: Mapping[str, NDArray[Any]],
        image_size: tuple[int, int],
        resize: str = "letterbox",
    ) -> None:
        """Take contents and objects into host memory."""
        super().__init__(contents, None, orientations=orientations, image_size=image_size)
        self._image_size, self._resize = image_size, resize
        with tf.device("CPU:0"):
            self._is_path = tf.constant([isinstance(item, str) for item in contents], tf.bool)
            self._objects = {name: tf.constant(array) for name, array in objects.items()}

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these images in this order; the last one may be smaller."""
        return self._pairs(indices, batch_size, self._objects)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without boxes, labels and ignored."""
        return self._pairs(indices, batch_size, without_truth(self._objects))

    def cached(self, workers: Workers = SINGLE_WORKER) -> "CachedImages":
        """Decode every image once and keep its height x width x 3 bytes.

        Args:
            workers: Each decodes a shard and gives it to the others.
        """
        shard = workers.shard(len(self._contents))

        def decode_shard() -> NDArray[np.uint8]:
            pixels = np.empty((shard.stop - shard.start, *self._image_size, 3), np.uint8)
            rows = map_and_batch(tf.data.Dataset.range(shard.start, shard.stop), self._image, 64)
            place = 0
            for batch in rows.as_numpy_iterator():
                pixels[place : place + len(batch)] = batch
                place += len(batch)
            return pixels

        # Each worker holds all pixels in the end: any of them may draw any image.
        pixels = workers.all_gather_rows(workers.unless_one_fails(decode_shard))
        return CachedImages(pixels, self._objects)

    def _pairs(
        self, indices: Indices, batch_size: int, objects: Mapping[str, tf.Tensor]
    ) -> tf.data.Dataset:
        def pair(index: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            return self._image(index), {name: array[index] for name, array in objects.items()}

        return map_and_batch(tf.data.Dataset.from_tensor_slices(indices), pair, batch_size)

    def _content(self, index: tf.Tensor) -> tf.Tensor:
        content = self._contents[index]
        return tf.cond(self._is_path[index], lambda: tf.io.read_file(content), lambda: content)

    def _image(self, index: tf.Tensor) -> tf.Tensor:
        image, _ = letterbox_image(self._decode(index), self._image_size, self._resize)
        return image


class CachedImages:
    """Letterboxed images that lie in memory, and their objects.

    Args:
        pixels: uint8 of shape (images, height, width, 3).
        objects: Arrays whose first dimension is the images'.
    """

    def __init__(self, pixels: NDArray[np.uint8], objects: Mapping[str, tf.Tensor]) -> None:
        """Take the pixels into host memory."""
        with tf.device("CPU:0"):
            tensor = tf.convert_to_tensor(pixels)
        self._pairs = _gather_from((tensor, dict(objects)))
        self._inputs = _gather_from((tensor, without_truth(objects)))

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these images in this order; the last one may be smaller."""
        return self._pairs.batches(indices, batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without boxes, labels and ignored."""
        return self._inputs.batches(indices, batch_size)


def without_truth(objects: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a batch to predict holds beside its images: frame, size and index."""
    return {name: array for name, array in objects.items() if name not in TRUTH}


def _gather_from(arrays: Any) -> GatheredBatches:
    return GatheredBatches(
        lambda indices: tf.nest.map_structure(lambda array: tf.gather(array, indices), arrays)
    )
