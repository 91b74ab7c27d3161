"""Vocabulary: the words that a network knows, as weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.distribute.workers import ALONE, Workers
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks.text_classification.words import LARGEST, Words

PADDING, UNKNOWN, FIRST = 0, 1, 2
LETTERS = 32  # bytes of each word that are kept to be read
WORD = 8  # bytes of an integer, which holds as many of them


class Vocabulary(keras.layers.Layer):  # type: ignore[misc]
    """Numbers words by how often they occur in the training texts.

    The most frequent word is 2, the next one 3; 1 stands for every word that is not known, 0 for
    padding. All of it is weights: fingerprints in ascending order, found by binary search, and the
    number of each. A checkpoint holds them and a new process has them back.

    Keras' TextVectorization keeps its words in a table that is no weight: after a resume in another
    process its network would read other words.

    Args:
        size: How many numbers there are, those for padding and unknown words included.

    Raises:
        ConfigurationError: `size` leaves no room for a word.

    Example:
        >>> words, vocabulary = Words(), Vocabulary(5)
        >>> vocabulary.fit(words, [tf.constant(["good film", "good good plot"])])
        >>> vocabulary(words.padded(tf.constant(["a good film"]))).numpy().tolist()
        [[1, 2, 3]]
        >>> vocabulary.words()
        ['good', 'film', 'plot']
    """

    def __init__(self, size: int) -> None:
        if not isinstance(size, int) or size <= FIRST:
            raise ConfigurationError(
                f"vocabulary_size={size!r}: give an integer above {FIRST}; two numbers stand for "
                "padding and unknown words."
            )
        super().__init__(name="vocabulary", dtype="float32")
        self.size = size
        self.fingerprints = self._numbers("fingerprints", (size - FIRST,), "int64")
        self.numbers = self._numbers("numbers", (size - FIRST,), "int32")
        self.letters = self._numbers("letters", (size - FIRST, LETTERS // WORD), "int64")
        self.built = True

    def _numbers(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(
            shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
        )

    @property
    def is_fitted(self) -> bool:
        """Whether it knows a word."""
        return bool((np.asarray(self.numbers.numpy()) > 0).any())

    def fit(self, words: Words, texts: Iterable[tf.Tensor], workers: Workers = ALONE) -> None:
        """Take the most frequent words of texts; of two that are as frequent, the earlier one.

        Args:
            words: Splits texts.
            texts: Batches of strings; of several workers each gives its part of the texts.
            workers: Who count together, the first one the first texts.

        Raises:
            DataError: There are no texts.
        """
        counts, spelt = _counted_by_all(workers, words, texts)
        if not counts:
            raise DataError("There are no training texts to take a vocabulary from; give some.")
        # Sorting is stable and a dict keeps its order: ties go to the word that came first.
        chosen = sorted(counts, key=counts.__getitem__, reverse=True)[: self.size - FIRST]
        fingerprints = np.full(self.size - FIRST, LARGEST, np.int64)  # behind every word's
        numbers = np.zeros(self.size - FIRST, np.int32)
        letters = np.zeros((self.size - FIRST, LETTERS // WORD), np.int64)
        found = np.array(chosen, np.int64)
        order = np.argsort(found)
        fingerprints[: len(found)], numbers[: len(found)] = found[order], order + FIRST
        letters[: len(found)] = _rows(spelt[fingerprint] for fingerprint in chosen)
        self.fingerprints.assign(fingerprints)
        self.numbers.assign(numbers)
        self.letters.assign(letters)

    def words(self) -> list[str]:
        """The known words, the most frequent first, cut to 32 bytes each."""
        rows = np.asarray(self.letters.numpy())[: int((self.numbers.numpy() > 0).sum())]
        return [row.astype("<i8").tobytes().rstrip(b"\0").decode("utf-8", "ignore") for row in rows]

    def call(self, fingerprints: tf.Tensor) -> tf.Tensor:
        """The numbers of words.

        Args:
            fingerprints: Int64 of any shape, 0 where there is no word.

        Returns:
            Int32 of the same shape, in 0..size-1.
        """
        known, numbers = tf.convert_to_tensor(self.fingerprints), tf.convert_to_tensor(self.numbers)
        flat = tf.reshape(fingerprints, [-1])
        places = tf.minimum(tf.searchsorted(known, flat), self.size - FIRST - 1)
        found = tf.equal(tf.gather(known, places), flat)
        number = tf.where(found, tf.gather(numbers, places), UNKNOWN)
        number = tf.where(tf.equal(number, 0), UNKNOWN, number)  # a place that holds no word
        number = tf.where(tf.equal(flat, 0), PADDING, number)
        return tf.reshape(number, tf.shape(fingerprints))


def _rows(words: Iterable[bytes]) -> NDArray[np.int64]:
    """The first letters of each word, and zeros behind them; eight bytes are an integer.

    TensorFlow cannot make a variable of single bytes on several workers.
    """
    cut = b"".join(word[:LETTERS].ljust(LETTERS, b"\0") for word in words)
    return np.frombuffer(cut, "<i8").astype(np.int64).reshape(-1, LETTERS // WORD)


def _counted_by_all(
    workers: Workers, words: Words, texts: Iterable[tf.Tensor]
) -> tuple[dict[int, int], dict[int, bytes]]:
    counts, spelt = workers.unless_one_fails(lambda: _counted(words, texts))
    if workers.count == 1:
        return counts, spelt
    found = workers.all_gather_rows(np.array(list(counts), np.int64))
    times = workers.all_gather_rows(np.array(list(counts.values()), np.int64))
    letters = workers.all_gather_rows(_rows(spelt[fingerprint] for fingerprint in counts))
    # In the order of the workers, whose texts follow one another: as if one had read them all.
    counts, spelt = {}, {}
    for fingerprint, often, row in zip(found.tolist(), times.tolist(), letters, strict=True):
        counts[fingerprint] = counts.get(fingerprint, 0) + often
        spelt.setdefault(fingerprint, row.astype("<i8").tobytes())
    return counts, spelt


def _counted(words: Words, texts: Iterable[tf.Tensor]) -> tuple[dict[int, int], dict[int, bytes]]:
    counts: dict[int, int] = {}
    spelt: dict[int, bytes] = {}
    for batch in texts:
        split = words.split(batch)
        hashed = words.fingerprints(split).flat_values.numpy()
        found, first, times = np.unique(hashed, return_index=True, return_counts=True)
        letters = tf.gather(split.flat_values, first).numpy()
        for place in np.argsort(first).tolist():
            fingerprint = int(found[place])
            if fingerprint not in spelt:
                spelt[fingerprint] = letters[place]
            counts[fingerprint] = counts.get(fingerprint, 0) + int(times[place])
    return counts, spelt
