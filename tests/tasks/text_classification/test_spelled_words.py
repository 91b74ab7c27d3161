"""A vocabulary from rows that are encoded already: the weights of one from the texts themselves."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import TextArrays
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.exceptions import DataError
from lightning_tf.tasks.text_classification.spelled_words import spelled_words
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words


def random_texts(count):
    """Return texts of few words, of which many are as frequent as others; some have none."""
    random = np.random.default_rng(0)
    letters = ["a", "It's", "été", "好", "w" * 40, "b7"]
    words = [f"{one}{n}" for n in range(300) for one in letters]
    texts = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(count)]
    return [*texts, "...", "?"]


def from_rows(texts, size, words):
    labels = list(np.arange(len(texts)) % 2)
    data = EncodedTexts(TextArrays((texts, labels), val_fraction=0.0), words)
    rows = data.training_rows()
    vocabulary = Vocabulary(size)
    read = []
    data.training_texts = lambda rows, old=data.training_texts: read.append(len(rows)) or old(rows)
    vocabulary.fit_rows(rows.values, partial(spelled_words, words, data, rows.ends))
    return vocabulary, sum(read)


@pytest.mark.parametrize("size", [20, 100_000])
@pytest.mark.parametrize("ngrams", [1, 2])
def test_rows_and_texts_give_the_same_weights(size, ngrams):
    texts, words = random_texts(1300), Words(ngrams)
    vocabulary, _ = from_rows(texts, size, words)

    expected = Vocabulary(size)
    expected.fit(words, [tf.constant(texts[:700]), tf.constant(texts[700:])])
    assert vocabulary.words() == expected.words()
    for weight, other in zip(vocabulary.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_texts_that_spell_no_chosen_word_are_not_split_again():
    _, read = from_rows(["a b", "b a", "a", "b c c", "c"] * 200, 100, Words())
    assert read == 2


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="no training texts"):
        Vocabulary(5).fit_rows(np.zeros(0, np.int64), lambda places: np.zeros((0, 4), np.int64))
