"""The most frequent words get numbers, which are weights."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks.text_classification.vocabulary import LETTERS, Vocabulary
from lightning_tf.tasks.text_classification.words import Words


def fitted(size, *batches):
    vocabulary = Vocabulary(size)
    vocabulary.fit(Words(), [tf.constant(batch) for batch in batches])
    return vocabulary


def numbers(vocabulary, text):
    return vocabulary(Words().padded(tf.constant([text]))).numpy()[0].tolist()


def test_words_are_numbered_by_how_often_they_occur():
    vocabulary = fitted(10, ["b a b", "c b a"], ["c d b"])
    assert vocabulary.words() == ["b", "a", "c", "d"]
    assert numbers(vocabulary, "d c b a e") == [5, 4, 2, 3, 1]


def test_the_rarest_words_are_left_out_where_there_is_no_room():
    vocabulary = fitted(4, ["a a a b b c"])
    assert vocabulary.words() == ["a", "b"]
    assert numbers(vocabulary, "a b c") == [2, 3, 1]


def test_padding_stays_padding_and_shapes_stay():
    vocabulary = fitted(10, ["a b"])
    rows = Words().padded(tf.constant(["a", "b zz a"]))
    assert vocabulary(rows).numpy().tolist() == [[2, 0, 0], [3, 1, 2]]
    assert vocabulary(tf.zeros([0, 3], tf.int64)).shape == (0, 3)


def test_every_word_of_a_large_vocabulary_is_found():
    words = [f"w{number}" for number in range(3000)]
    vocabulary = fitted(3002, [" ".join(words)])
    assert numbers(vocabulary, " ".join(words)) == list(range(2, 3002))


def test_an_empty_vocabulary_knows_no_word():
    vocabulary = Vocabulary(5)
    assert not vocabulary.is_fitted
    assert numbers(vocabulary, "a b") == [1, 1]
    assert vocabulary.words() == []


def test_the_weights_are_all_there_is_to_it():
    one, other = fitted(10, ["b a b é"]), Vocabulary(10)
    other.set_weights(one.get_weights())
    assert other.words() == ["b", "a", "é"]
    assert numbers(other, "é b") == numbers(one, "é b") == [4, 2]
    assert not other.trainable_weights


def test_long_words_are_cut_for_reading_only():
    long = "é" * 40
    vocabulary = fitted(10, [f"{long} {long}x"])
    assert numbers(vocabulary, f"{long} {long}x {long}y") == [2, 3, 1]
    assert vocabulary.words() == ["é" * (LETTERS // 2)] * 2


def test_numbers_are_the_same_in_a_graph_of_unknown_shapes():
    vocabulary = fitted(10, ["a b"])
    call = tf.function(vocabulary.call, input_signature=[tf.TensorSpec([None, None], tf.int64)])
    rows = Words().padded(tf.constant(["b a c"]))
    np.testing.assert_array_equal(call(rows), vocabulary(rows))


@pytest.mark.parametrize("size", [2, 0, 10.5])
def test_a_size_without_room_for_a_word_is_refused(size):
    with pytest.raises(ConfigurationError, match="vocabulary_size"):
        Vocabulary(size)


def test_no_texts_make_no_vocabulary():
    with pytest.raises(DataError, match="no training texts"):
        fitted(10)
