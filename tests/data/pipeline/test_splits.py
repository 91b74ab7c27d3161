"""Splits are a pure function of their seed, and never overlap."""

import numpy as np
import pytest

from lightning_tf.data.pipeline.splits import (
    consecutive_rows,
    hold_out_splits,
    split_indices,
)
from lightning_tf.exceptions import ConfigurationError, DataError


def test_splits_never_overlap_and_leave_nothing_out():
    splits = split_indices(103, [0.2, 0.1], seed=1)
    assert [len(split) for split in splits] == [72, 21, 10]
    assert sorted(np.concatenate(splits)) == list(range(103))


def test_another_seed_holds_out_other_examples():
    assert split_indices(100, [0.2], 0)[1].tolist() != split_indices(100, [0.2], 1)[1].tolist()


def test_every_split_has_the_classes_in_proportion():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    rest, held_out = split_indices(1000, [0.1], seed=5, labels=labels)
    assert np.abs(np.bincount(labels[held_out]) - [60, 30, 10]).max() <= 1
    assert len(rest) == 900


def test_rare_classes_are_held_out_as_often_as_their_share():
    labels = np.arange(1000)  # one example of each class
    held_out = [split_indices(1000, [0.2], seed, labels)[1] for seed in range(20)]
    counts = np.bincount(np.concatenate(held_out), minlength=1000)
    assert 2 < counts.mean() < 6
    assert counts.max() < 15


@pytest.mark.parametrize("fractions", [[1.0], [-0.1], [0.6, 0.5]])
def test_impossible_fractions_are_named(fractions):
    with pytest.raises(ConfigurationError, match="held-out fractions"):
        split_indices(10, fractions, seed=0)


def test_only_what_is_missing_is_held_out():
    rows = {"train": np.arange(100, 200), "test": np.arange(100)}
    splits = hold_out_splits(rows, None, None, None, seed=0)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 90,
        "val": 10,
        "test": 100,
    }
    assert splits["val"].min() >= 100


def test_a_fraction_of_a_split_that_is_given_is_refused():
    with pytest.raises(ConfigurationError, match=r"test_fraction is 0.2"):
        hold_out_splits({"train": np.arange(9), "test": np.arange(9)}, None, None, 0.2, seed=0)


def test_a_class_with_a_single_example_is_not_split():
    labels = np.array([0, 0, 0, 1, 2, 2])
    rows = {"train": np.arange(6)}
    with pytest.raises(DataError, match="class 1 has one example"):
        hold_out_splits(rows, labels, 0.5, None, seed=0)
    with pytest.raises(DataError, match="class 'tulip' has one example"):
        hold_out_splits(rows, labels, None, None, 0, ["rose", "tulip", "daisy"])
    assert len(hold_out_splits(rows, labels, 0.0, None, seed=0)["train"]) == 6


def test_an_empty_split_has_no_rows():
    rows = consecutive_rows({"train": 2, "val": 0, "test": 1})
    assert {name: of.tolist() for name, of in rows.items()} == {
        "train": [0, 1],
        "val": [],
        "test": [2],
    }
