"""TextFiles: one text a file, read when a batch needs it."""

import codecs
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.data.pipeline.map_and_batch import map_and_batch
from lightning_tf.data.pipeline.order import Indices
from lightning_tf.exceptions import DataError

NEEDS_NO_DECODING = ("utf-8", "ascii")


class TextFiles:
    r"""One text a file, read by index; only the paths lie in memory.

    Batches are ``(texts, labels)``: strings in UTF-8 of shape (batch,), whose lines all end in
    ``\n`` as when Python reads a text file, and int32 of shape (batch,). Files are read in
    parallel; the order stays that of the indices. Another encoding than UTF-8 is decoded by Python:
    TensorFlow's decoder differs from it in what it takes (a byte order mark, bytes of Windows'
    code pages that stand for nothing).

    Args:
        paths: Of the files.
        labels: The class of each.
        encoding: Of the files; see `read_text`, which finds out whether they are in it.

    Example:
        >>> files = TextFiles(["good.txt", "bad.txt"], np.array([1, 0], "int32"))
        >>> batches = files.batches(np.array([1, 0]), 2)
    """

    def __init__(self, paths: Sequence[str], labels: NDArray[Any], encoding: str = "utf-8") -> None:
        """Take the paths into host memory."""
        with tf.device("CPU:0"):
            self._paths = tf.constant([os.fsencode(path) for path in paths], tf.string)
            self._labels = tf.constant(labels, tf.int32)
        self._encoding = encoding

    def batches(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return batches of these texts in this order; the last one may be smaller."""
        elements = tf.data.Dataset.from_tensor_slices(indices)
        return map_and_batch(elements, lambda i: (self._text(i), self._labels[i]), batch_size)

    def inputs(self, indices: Indices, batch_size: int) -> tf.data.Dataset:
        """Return the same batches without labels."""
        return map_and_batch(tf.data.Dataset.from_tensor_slices(indices), self._text, batch_size)

    def _text(self, index: tf.Tensor) -> tf.Tensor:
        content = tf.io.read_file(self._paths[index])
        # In the graph where that gives the same text: Python runs one example at a time.
        if codecs.lookup(self._encoding).name in NEEDS_NO_DECODING:
            return tf.strings.regex_replace(content, "\r\n?", "\n")
        return tf.ensure_shape(
            tf.numpy_function(self._decode, [content], tf.string, stateful=False), ()
        )

    def _decode(self, content: bytes) -> bytes:
        text = io.TextIOWrapper(io.BytesIO(content), encoding=self._encoding).read()
        return text.encode("utf-8", "replace")  # a lone surrogate is no character


def read_text(path: str, encoding: str) -> str:
    """Read the text of a file.

    Raises:
        DataError: It is in another encoding, or there is no such encoding; names the file.
    """
    try:
        return Path(path).read_text(encoding=encoding)
    except (UnicodeError, LookupError) as error:
        raise DataError(
            f"{path} cannot be read in {encoding}: {error}. Pass encoding= with the one that it "
            "was written in."
        ) from error
