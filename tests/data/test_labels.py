"""Labels and class names, whatever is labeled."""

import numpy as np
import pytest

from lightning_tf.data.labels import checked_classes, checked_labels, sort_class_names
from lightning_tf.exceptions import ConfigurationError, DataError


def test_a_column_of_labels_becomes_flat():
    assert checked_labels("train", np.array([[1], [0]])).tolist() == [1, 0]
    with pytest.raises(DataError, match="argmax"):
        checked_labels("train", np.eye(2))


def test_names_that_are_numbers_are_sorted_by_size_before_others():
    assert sort_class_names(["b", "10", "9", "1.5"]) == ["9", "10", "1.5", "b"]
    assert sort_class_names(["b", "10", "9", "1.5"], float) == ["1.5", "9", "10", "b"]


def test_a_class_to_keep_that_there_is_not_is_named():
    assert checked_classes(("b", "a"), ["a", "b", "c"], "the folder") == ["b", "a"]
    with pytest.raises(ConfigurationError, match=r"the folder has no class 'd'.* Known: a, b"):
        checked_classes(["d"], ["a", "b"], "the folder")
