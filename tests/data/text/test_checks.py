"""Texts and labels are checked, and what is wrong is named."""

import numpy as np
import pytest

from lightning_tf.data.text.checks import (
    checked_label_names,
    checked_texts,
    encode_labels,
    find_class_names,
    find_empty_texts,
)
from lightning_tf.exceptions import DataError


def names(labels, class_names=None):
    return checked_label_names("train", labels, len(labels), class_names).tolist()


def test_strings_bytes_and_lone_surrogates_become_strings():
    assert checked_texts("train", ["né", "né".encode(), "a\ud800b"]).tolist() == ["né", "né", "a?b"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no train texts"),
        ("one text", "give a list"),
        (["good", None], "index 1 is None"),
        (["good", float("nan")], "index 1 is nan, a float"),
        ([b"\xff\xfe"], "no UTF-8"),
    ],
    ids=str,
)
def test_what_is_no_text_is_named(texts, message):
    with pytest.raises(DataError, match=message):
        checked_texts("train", texts)


def test_white_space_alone_is_empty():
    assert find_empty_texts(checked_texts("train", ["a", " \n", "", "b"])).tolist() == [1, 2]


def test_labels_are_names_or_places_among_them():
    assert names(["b", "a"]) == ["b", "a"]
    assert names(np.array([[2], [10]])) == ["2", "10"]
    assert names([1, 0], ["no", "yes"]) == ["yes", "no"]
    assert names(["1", "no"], ["no", "yes"]) == ["yes", "no"]
    assert names([1.0, 0.0]) == ["1", "0"]


@pytest.mark.parametrize(
    ("labels", "class_names", "message"),
    [
        ([1, None], None, "index 1 is None"),
        (["a", " "], None, "index 1"),
        ([0.5, 1.0], None, "0.5"),
        ([float("nan"), 1.0], None, "nan"),
        ([0, 2], ["no", "yes"], "0 to 1"),
        (np.eye(2), None, "argmax"),
        ([1, 2, 3], None, "3,"),
    ],
    ids=str,
)
def test_a_label_that_cannot_be_is_named(labels, class_names, message):
    with pytest.raises(DataError, match=message):
        checked_label_names("train", labels, 2, class_names)


def test_classes_are_sorted_numbers_by_size():
    labels = np.array(["10", "2", "10", "2"], object)
    assert find_class_names(labels, None) == ["2", "10"]
    assert find_class_names(labels, ["10", "2"]) == ["10", "2"]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (["a", "a"], None, "two or more"),
        (["a", "a", "b"], None, "Class 'b' has 1 training"),
        (["a", "a", "b", "b"], ["a", "b", "c"], "Class 'c' has 0"),
        (["a", "a"], ["a", "a"], "give each once"),
    ],
    ids=str,
)
def test_classes_that_cannot_be_learnt_are_named(labels, names, message):
    with pytest.raises(DataError, match=message):
        find_class_names(np.array(labels, object), names)


def test_a_label_that_training_does_not_have_is_named():
    with pytest.raises(DataError, match=r"1 of the test texts .* 'c', the first at index 2"):
        encode_labels("test", np.array(["a", "b", "c"], object), ["a", "b"])
