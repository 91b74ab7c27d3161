import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.checks import (
    check_known,
    checked_cells,
    checked_integer,
    checked_number,
    is_integer,
    is_number,
)
from lightning_tf.exceptions import ConfigurationError, DataError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_an_integer_of_any_kind_becomes_an_int(value):
    assert type(checked_integer("units", value, least=3, most=3)) is int


@pytest.mark.parametrize("value", [True, 2.0, "2", None, np.array(2), np.array([2, 3]), -1, 10])
def test_what_is_no_integer_in_the_range_is_refused_with_name_value_and_range(value):
    with pytest.raises(ConfigurationError, match=r"^units is .*; give an integer in 0\.\.9\.$"):
        checked_integer("units", value, least=0, most=9)
    assert not is_integer(value, least=0) or value == 10


def test_an_unknown_name_is_refused_with_the_nearest_and_all_known_ones():
    check_known("start='noise'", "noise", ("content", "noise"))
    with pytest.raises(ConfigurationError) as error:
        check_known("start='nose'", "nose", ("content", "noise"))
    assert str(error.value) == "start='nose'. Did you mean 'noise'? Known: content, noise."


def test_truth_is_no_number():
    assert is_number(0.5)
    assert not is_number(True)
    assert not is_number("0.5")


def test_an_integer_that_no_float_holds_is_refused_by_name():
    assert checked_number("log('k')", 2**62) == 2**62
    assert checked_number("log('k')", 2**70) == float(2**70)
    with pytest.raises(ConfigurationError, match=r"log\('k'\) got 1000"):
        checked_number("log('k')", 10**400)


def test_cells_of_a_table_are_numbers_texts_and_arrays_of_numpy():
    image = np.zeros((2, 2, 1), "uint8")
    row = [np.float32(0.5), tf.constant(3), True, "a", None, tf.constant("b"), image, [1, 2]]
    (cells,) = checked_cells("few", list("abcdefgh"), [row])
    image[:] = 1
    assert cells[:6] == [0.5, 3, True, "a", None, "b"]
    assert not cells[6].any()  # copied
    assert cells[7] == [1, 2]


@pytest.mark.parametrize("row", [[1], [1, 2, 3], []], ids=len)
def test_a_row_that_has_not_a_cell_for_each_column_is_refused(row):
    words = rf"log_table\('few'\): row 1 has {len(row)} cells for 2 columns \(a, b\)"
    with pytest.raises(DataError, match=words):
        checked_cells("few", ["a", "b"], [[1, 2], row])
