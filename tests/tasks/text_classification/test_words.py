"""Texts are split into words of any script, each with a number of its own."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks.text_classification.words import NOTHING, Words

GOOD_FILM = [3401476749726550369, 3510640299855943002]  # FarmHash of "good" and "film"


def split(text, ngrams=1):
    return [word.decode() for word in Words(ngrams).split(tf.constant([text])).to_list()[0]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Good, GOOD film!", ["good", "good", "film"]),
        ("ÄRGER und Café", ["ärger", "und", "café"]),
        ("ПРИВЕТ мир", ["привет", "мир"]),
        ("it's 'quoted' and so: 'this'!", ["it's", "quoted", "and", "so", "this"]),
        ("one<br /><br />two", ["one", "two"]),
        ("映画は good", ["映", "画", "は", "good"]),
        ("nice😀😀 7/10", ["nice", "😀", "😀", "7", "10"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("  \n\t ", [NOTHING]),
        ("?!...", [NOTHING]),
        ("", [NOTHING]),
    ],
)
def test_words_are_what_a_reader_takes_for_them(text, words):
    assert split(text) == words


def test_runs_of_words_follow_the_words():
    assert split("a very good film", ngrams=2) == [
        *("a", "very", "good", "film"),
        *("a very", "very good", "good film"),
    ]
    assert split("film", ngrams=3) == ["film"]


def test_fingerprints_are_those_of_every_machine_and_never_padding():
    numbers = Words()(tf.constant(["good film", "film"])).to_list()
    assert numbers[1] == numbers[0][1:]
    expected = tf.strings.to_hash_bucket_fast(["good", "film"], 2**63 - 1).numpy() + 1
    assert numbers[0] == expected.tolist() == GOOD_FILM
    assert (expected > 0).all()


def test_a_text_of_a_million_words_is_read_to_the_limit():
    padded = Words().padded(tf.constant(["word " * 1_000_000, "two words"]), max_length=5)
    assert padded.shape == (2, 5)
    assert np.count_nonzero(padded.numpy(), axis=1).tolist() == [5, 2]


@pytest.mark.parametrize("ngrams", [0, 6, 1.5])
def test_runs_of_a_length_that_cannot_be_are_refused(ngrams):
    with pytest.raises(ConfigurationError, match=r"1\.\.5"):
        Words(ngrams)
