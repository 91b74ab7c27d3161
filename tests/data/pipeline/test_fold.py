"""Fold: every training example validates once, and no fold sees what it must not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tf.data.pipeline.fold import Fold
from lightning_tf.exceptions import ConfigurationError


def cuts(count, of, labels=None, groups=None, **options):
    return [Fold(i, of, **options).cut(count, labels, groups) for i in range(of)]


@given(st.integers(2, 6), st.integers(6, 80), st.integers(0, 9))
def test_every_example_validates_once_and_trains_in_all_other_folds(of, count, seed):
    found = cuts(count, of, seed=seed)
    assert sorted(np.concatenate([val for _, val in found]).tolist()) == list(range(count))
    for train, val in found:
        assert sorted([*train, *val]) == list(range(count))
        assert abs(len(val) - count / of) <= 1


@given(st.integers(2, 5), st.lists(st.integers(0, 3), min_size=40, max_size=90))
def test_every_fold_has_every_class_in_its_proportion(of, labels):
    labels = np.array(labels)
    for _, val in cuts(len(labels), of, labels):
        for label in np.unique(labels):
            assert abs((labels[val] == label).sum() - (labels == label).sum() / of) <= 1.5


@given(st.lists(st.sampled_from("abcdefgh"), min_size=60, max_size=60))
def test_a_group_stands_in_one_fold_alone(groups):
    groups = np.array([*groups, *"abcdefgh"])
    found = cuts(len(groups), 3, groups=groups)
    for train, val in found:
        assert not set(groups[train]) & set(groups[val])
        assert len(val)
    assert sorted(np.concatenate([val for _, val in found]).tolist()) == list(range(len(groups)))


def test_in_time_a_fold_trains_on_what_comes_before_it():
    found = cuts(23, 3, by="time")
    for train, val in found:
        assert train.tolist() == list(range(val[0]))
    assert found[-1][1][-1] == 22
    assert [len(val) for _, val in found] == [6, 6, 6]
    assert [len(train) for train, _ in found] == [5, 11, 17]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fold(0, 1), "folds"),
        (lambda: Fold(0, 2, by="classe"), "by"),
        (lambda: Fold(0, 2, by="groups"), "needs it"),
        (lambda: Fold(0, 2, by="time", groups=[1]), "is for by='groups'"),
        (lambda: Fold(0, 4).cut(3), "folds=4 needs 4 examples"),
        (lambda: Fold(0, 3).cut(9, None, np.array([1] * 9)), "folds=3 needs 3 groups"),
        (lambda: Fold(0, 3, by="time").cut(3), "needs 4 examples"),
    ],
)
def test_what_cannot_be_cut_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
