import numpy as np
import pytest

from lightning_tf.checks import (
    check_known,
    checked_integer,
    checked_number,
    is_integer,
    is_number,
)
from lightning_tf.exceptions import ConfigurationError


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
