"""Vocabulary: the words that a network knows, as weights."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from lightning_tf.checks import is_integer
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks.text_classification.words import LARGEST, Words

PADDING, UNKNOWN, FIRST = 0, 1, 2
LETTERS = 32  # bytes of each word that are kept, so that people can read the vocabulary
INTEGER = 8  # bytes of an int64, which holds as many letters


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
        if not is_integer(size, least=FIRST + 1):
            raise ConfigurationError(
                f"vocabulary_size={size!r}: give an integer above {FIRST}; two numbers stand for "
                "padding and unknown words."
            )
        super().__init__(name="vocabulary", dtype="float32")
        self.size = size
        self.fingerprints = self._add_integers("fingerprints", (size - FIRST,), "int64")
        # A GPU has no variables of int32, and computes with int32 on the host.
        self.numbers = self._add_integers("numbers", (size - FIRST,), "int64")
        self.letters = self._add_integers("letters", (size - FIRST, LETTERS // INTEGER), "int64")
        self.built = True

    def _add_integers(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(
            shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
        )

    @property
    def is_fitted(self) -> bool:
        """Return whether it knows a word."""
        return bool((np.asarray(self.numbers.numpy()) > 0).any())

    def fit(self, words: Words, texts: Iterable[tf.Tensor]) -> None:
        """Take the most frequent words of texts; of two that are as frequent, the earlier one.

        Args:
            words: Splits texts.
            texts: Batches of strings.

        Raises:
            DataError: There are no texts.
        """
        counts, spellings = _count(words, texts)
        # Sorting is stable and a dict keeps its order: ties go to the word that came first.
        chosen = sorted(counts, key=counts.__getitem__, reverse=True)[: self.size - FIRST]
        self._take(chosen, to_integers(spellings[fingerprint] for fingerprint in chosen))

    def fit_rows(
        self,
        fingerprints: NDArray[np.int64],
        spell: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    ) -> None:
        """Take the same words from fingerprints that are there, and spell no others.

        Args:
            fingerprints: Of all words of the texts, one after another.
            spell: From places among them to the letters of the words there, as `to_integers` gives.

        Raises:
            DataError: There are none.
        """
        import pandas as pd

        codes, unique = pd.factorize(fingerprints)  # numbered in the order of first occurrence
        chosen = np.argsort(-np.bincount(codes), kind="stable")[: self.size - FIRST]

        first = np.empty(len(unique), np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last that is written is the first
        self._take(unique[chosen], spell(first[chosen]))

    def _take(self, chosen: Sequence[int] | NDArray[np.int64], spelled: NDArray[np.int64]) -> None:
        """Assign the weights for these words, the most frequent first."""
        if not len(chosen):
            raise DataError("There are no training texts to take a vocabulary from; give some.")

        fingerprints = np.full(self.size - FIRST, LARGEST, np.int64)  # behind every word's
        numbers = np.zeros(self.size - FIRST, np.int64)
        letters = np.zeros((self.size - FIRST, LETTERS // INTEGER), np.int64)

        # Fingerprints ascend, for the binary search; letters stay in the order of frequency.
        known = np.array(chosen, np.int64)
        order = np.argsort(known)
        fingerprints[: len(known)], numbers[: len(known)] = known[order], order + FIRST
        letters[: len(known)] = spelled

        self.fingerprints.assign(fingerprints)
        self.numbers.assign(numbers)
        self.letters.assign(letters)

    def words(self) -> list[str]:
        """Return the known words, the most frequent first, cut to 32 bytes each."""
        rows = np.asarray(self.letters.numpy())[: int((self.numbers.numpy() > 0).sum())]
        return [row.astype("<i8").tobytes().rstrip(b"\0").decode("utf-8", "ignore") for row in rows]

    def call(self, fingerprints: tf.Tensor) -> tf.Tensor:
        """Return the numbers of words.

        Args:
            fingerprints: Int64 of any shape, 0 where there is no word.

        Returns:
            Int32 of the same shape, in 0..size-1.
        """
        known, numbers = tf.convert_to_tensor(self.fingerprints), tf.convert_to_tensor(self.numbers)
        flat = tf.reshape(fingerprints, [-1])  # (words,)
        places = tf.searchsorted(known, flat, out_type=tf.int64)
        places = tf.minimum(places, self.size - FIRST - 1)
        is_known = tf.equal(tf.gather(known, places), flat)

        unknown, padding = (tf.constant(number, tf.int64) for number in (UNKNOWN, PADDING))
        number = tf.where(is_known, tf.gather(numbers, places), unknown)
        number = tf.where(tf.equal(number, 0), unknown, number)  # a place that holds no word
        number = tf.where(tf.equal(flat, 0), padding, number)
        return tf.cast(tf.reshape(number, tf.shape(fingerprints)), tf.int32)


def to_integers(words: Iterable[bytes]) -> NDArray[np.int64]:
    """Return the first letters of each word, padded with zeros, eight bytes an integer.

    TensorFlow cannot make a variable of single bytes on several workers.
    """
    cut = b"".join(word[:LETTERS].ljust(LETTERS, b"\0") for word in words)
    return np.frombuffer(cut, "<i8").astype(np.int64).reshape(-1, LETTERS // INTEGER)


def _count(words: Words, texts: Iterable[tf.Tensor]) -> tuple[dict[int, int], dict[int, bytes]]:
    """Return how often each fingerprint occurs, in the order of first occurrence, and its word."""
    counts: dict[int, int] = {}
    spellings: dict[int, bytes] = {}
    for batch in texts:
        split = words.split(batch)
        hashed = words.fingerprints(split).flat_values.numpy()
        unique, first, times = np.unique(hashed, return_index=True, return_counts=True)
        letters = tf.gather(split.flat_values, first).numpy()

        # By first occurrence, not by fingerprint: ties in frequency go to the earlier word.
        for place in np.argsort(first).tolist():
            fingerprint = int(unique[place])
            if fingerprint not in spellings:
                spellings[fingerprint] = letters[place]
            counts[fingerprint] = counts.get(fingerprint, 0) + int(times[place])
    return counts, spellings
