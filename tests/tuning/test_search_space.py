"""Texts and lists say what a search may try."""

import pytest

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tuning.search_space import Range, search_space


def values(text):
    return search_space({"x": text})["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0001..0.1 log", Range(1e-4, 0.1, log=True)),
        ("1e-4..1e-1 log", Range(1e-4, 0.1, log=True)),
        ("1e-4 .. 1e-1 log 4 points", Range(1e-4, 0.1, log=True, points=4)),
        ("1e-4..1e-1 4 log", Range(1e-4, 0.1, log=True, points=4)),
        ("-1.5..0", Range(-1.5, 0.0)),
        ("1..6", Range(1, 6, is_integer=True)),
        ("0.0..0.5 3 points", Range(0.0, 0.5, points=3)),
    ],
)
def test_a_text_is_a_range(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mlp,convnet", ["mlp", "convnet"]),
        ("16, 32", [16, 32]),
        ("1e-4,1e-3", [1e-4, 1e-3]),
        ("true,false,null", [True, False, None]),
        ("[sgd, {momentum: 0.9}],[adam, {}]", [["sgd", {"momentum": 0.9}], ["adam", {}]]),
        ("[relu, tanh]", ["relu", "tanh"]),
        ([0.1, "a"], [0.1, "a"]),
        ("../digits,iris", ["../digits", "iris"]),
    ],
)
def test_a_text_or_a_list_is_choices(text, expected):
    choices = values(text)
    assert choices.ends == expected
    assert [choices.value(label) for label in choices.grid("x")] == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.1..0.01", r"search x=0\.1\.\.0\.01: the second bound must be above the first"),
        ("3..3", "above the first"),
        ("0.0..0.1 log", "begins above 0"),
        ("0.1..inf", "finite"),
        ("a..b", "no numbers"),
        ("1..6 lg", "no range; give LOW..HIGH"),
        ("0.1..0.2 1 points", "at least 2 points"),
        ("0.1..0.2 99999 points", "at most 1000"),
        ("1e-4...1e-1", "no range"),
        ("1_0..2_0", "no range"),
        ("mlp,mlp", "some choices are the same"),
        ("mlp", "one choice is no search"),
        ("[a,{", "cannot be read"),
        (3, "got 3 of type int"),
    ],
)
def test_what_cannot_be_searched_is_refused(text, reason):
    with pytest.raises(ConfigurationError, match=reason):
        values(text)


def test_nothing_to_try_is_refused():
    with pytest.raises(ConfigurationError, match="something to try"):
        search_space({})


def test_a_grid_has_the_points_of_a_range_with_both_bounds():
    assert values("0.001..0.1 log 3").grid("x") == pytest.approx([0.001, 0.01, 0.1])
    assert values("0.0..0.5 3 points").grid("x") == [0.0, 0.25, 0.5]
    assert values("1..4").grid("x") == [1, 2, 3, 4]
    assert values("1..64 log 3 points").grid("x") == [1, 8, 64]


@pytest.mark.parametrize("text", ["0.1..0.5", "1..64 log"])
def test_a_grid_over_a_range_without_points_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"search x=.*needs the number of points"):
        values(text).grid("x")
