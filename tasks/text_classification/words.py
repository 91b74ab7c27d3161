"""Words: texts split into words, each as a number that depends on nothing else."""

from typing import Any

import tensorflow as tf

from lightning_tf.checks import is_integer
from lightning_tf.exceptions import ConfigurationError

LARGEST = 2**63 - 1
NOTHING = "[NOTHING]"  # stands for a text without any word, so that no text is an empty row
LINE_BREAK = r"<br ?/?>"
# Scripts that put no space between words, and symbols such as emojis: each character is a word.
ALONE = r"([\p{So}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"
# An apostrophe at the edge of a word is a quotation mark.
BETWEEN = r"(?:[^\p{L}\p{M}\p{N}\p{So}']|\B'|'\B)+"
MOST_WORDS = 5  # of an n-gram


class Words:
    r"""Splits texts into lower-case words and gives the fingerprint of each.

    A word is a run of letters, marks and digits of any script, with apostrophes inside it. In
    scripts that put no space between words (Chinese, Japanese, Thai, ...) each character is a word,
    and so is each emoji. HTML's line breaks are dropped.

    A fingerprint is the 64-bit hash of the word (Google's FarmHash, the same on every machine), in
    1 to 2**63 - 1; 0 is left for padding. Two of a million words share one with a probability of
    5e-8. So texts become numbers before there is a vocabulary, once for all epochs, and a
    vocabulary is a weight of numbers: a lookup table of strings is no variable, no checkpoint holds
    it and no replica has a copy.

    Only operations of TensorFlow are used, so that it runs in an input pipeline, in a step and in a
    SavedModel.

    Args:
        ngrams: Also give runs of up to that many words, joined by a space, after the words
            themselves.

    Raises:
        ConfigurationError: `ngrams` is not in 1 to 5.

    Example:
        >>> Words().split(tf.constant(["It's GOOD: 'très bon'!"])).to_list()
        [[b"it's", b'good', b'tr\xc3\xa8s', b'bon']]
    """

    def __init__(self, ngrams: int = 1) -> None:
        if not is_integer(ngrams, least=1) or ngrams > MOST_WORDS:
            raise ConfigurationError(f"ngrams={ngrams!r}: give an integer in 1..{MOST_WORDS}.")
        self.ngrams = ngrams

    def split(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the words of each text, shape (texts, None), at least one for each."""
        texts = tf.strings.lower(texts, encoding="utf-8")
        texts = tf.strings.regex_replace(texts, LINE_BREAK, " ")
        texts = tf.strings.regex_replace(texts, ALONE, r" \1 ")
        texts = tf.strings.strip(tf.strings.regex_replace(texts, BETWEEN, " "))
        words = tf.strings.split(tf.where(tf.equal(texts, ""), NOTHING, texts), " ")

        if self.ngrams == 1:
            return words
        widths = list(range(2, self.ngrams + 1))
        return tf.concat([words, tf.strings.ngrams(words, widths, separator=" ")], axis=1)

    def fingerprints(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Return the number of each word, int64, in the same rows."""
        hashed = tf.strings.to_hash_bucket_fast(words.flat_values, LARGEST) + 1  # 0 is padding
        return words.with_flat_values(hashed)

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the fingerprints of the words of texts.

        Args:
            texts: Strings in UTF-8 of shape (texts,).

        Returns:
            Int64 of shape (texts, None), each row at least 1 long.
        """
        return self.fingerprints(self.split(texts))

    def padded(self, texts: tf.Tensor, max_length: int | None = None) -> tf.Tensor:
        """Return fingerprints cut to `max_length` and padded with 0 to the longest row."""
        rows: Any = self(texts)
        return (rows if max_length is None else rows[:, :max_length]).to_tensor()
