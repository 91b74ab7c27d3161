"""Data that come after those of a fit have its numbers of series and columns, by name."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lightning_tf.data import TimeSeries
from lightning_tf.exceptions import DataError

NAMES = SimpleNamespace(series=["a", "b", "c"], targets=["y", "z"], unknown=["u"], known=["k"])


def data_of(series, **columns):
    tables = [
        pd.DataFrame(
            {
                "id": name,
                "y": 100.0 * "abcd".index(name) + np.arange(20),
                "z": -1.0,
                "u": 2.0,
                "k": 3.0,
            }
        )
        for name in series
    ]
    roles = {"target": ["y", "z"], "unknown": "u", "known": "k", **columns}
    data = TimeSeries(
        pd.concat(tables), history=3, horizon=2, series="id", test_fraction=0.3, **roles
    )
    data.setup("fit")
    return data


@pytest.mark.parametrize("series", ["abc", "cba", "c", "bc"])
@pytest.mark.parametrize("target", [["y", "z"], ["z", "y"]], ids="-".join)
def test_windows_have_the_numbers_of_the_fit(series, target):
    data = data_of(series, target=target)
    data.align(NAMES)
    seen = set()
    for inputs, y in data.test_dataset().as_numpy_iterator():
        past, numbers = inputs["past"], inputs["series"]
        np.testing.assert_array_equal(past[:, -1, 0] // 100, numbers)
        assert np.unique(past[..., 1:].reshape(-1, 3), axis=0).tolist() == [[-1, 2, 3]]
        np.testing.assert_array_equal(y[..., 0] // 100, np.repeat(numbers[:, np.newaxis], 2, 1))
        np.testing.assert_array_equal(inputs["future"], 3)
        seen |= set(numbers)
    assert seen == {NAMES.series.index(name) for name in series}


def test_data_that_are_the_same_stay_what_they_are():
    data = data_of("abc")
    store = data.store
    data.align(NAMES)
    assert data.store is store


@pytest.mark.parametrize(
    ("series", "columns", "message"),
    [
        ("ad", {}, "the task knows no series 'd'"),
        ("a", {"target": "y"}, r"target=\['y'\], and the task learned target=\['y', 'z'\]"),
        ("a", {"unknown": "k", "known": "u"}, r"unknown=\['k'\], and the task learned"),
        ("a", {"known": []}, r"known=\[\]"),
    ],
    ids=["series", "target", "roles", "known"],
)
def test_data_with_other_names_are_refused(series, columns, message):
    with pytest.raises(DataError, match=message):
        data_of(series, **columns).align(NAMES)


def test_columns_of_an_array_are_taken_in_order():
    data = TimeSeries(np.ones((30, 2)), history=3)
    data.setup("fit")
    spec = SimpleNamespace(series=[""], targets=["y", "z"], unknown=[], known=[])
    data.align(spec)
    with pytest.raises(DataError, match="give the same columns"):
        data.align(SimpleNamespace(series=[""], targets=["y"], unknown=[], known=[]))
