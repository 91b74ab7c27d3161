"""Labels as people have them: places in classes, or names of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tf.data import ImageArrays, TextArrays
from lightning_tf.data.label_values import are_places, place_labels
from lightning_tf.exceptions import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1)).astype("uint8")


def ready(y, /, **options):
    data = ImageArrays((IMAGES, y), val_fraction=0.0, **options)
    data.setup("fit")
    return data


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([10, 20, 30], ["10", "20", "30"]),
        ([1, 2, 3], ["1", "2", "3"]),
        ([0, 100], ["0", "100"]),
        (["dog", "cat", "10", "9"], ["9", "10", "cat", "dog"]),
        ([False, True], ["0", "1"]),
        ([0, 1, 2, 4], ["0", "1", "2", "3", "4"]),
    ],
)
def test_values_become_classes_in_their_order(values, names, caplog):
    data = ready([values[i % len(values)] for i in range(60)])
    assert data.class_names == names
    assert data.num_classes == len(names)
    for image, code in zip(*next(data.train_dataset(0).as_numpy_iterator()), strict=True):
        place = int(np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))[0])
        value = values[place % len(values)]
        assert data.class_names[code] == str(int(value) if isinstance(value, bool) else value)
    is_told = values in ([10, 20, 30], [1, 2, 3], [0, 100], [0, 1, 2, 4])
    assert ("labels=" in caplog.text) is is_told


def test_options_settle_what_labels_are():
    labels = np.array([10, 20, 30] * 20)
    assert ready(labels, num_classes=31).num_classes == 31
    assert ready(labels, labels=[30, 20, 10]).class_names == ["30", "20", "10"]
    named = ready(labels, labels=[30, 20, 10], class_names=["c", "b", "a"])
    assert named.class_names == ["c", "b", "a"]
    with pytest.raises(DataError, match=r"20 of the train labels are none of the classes 20, 30"):
        ready(labels, labels=[20, 30])


@given(st.sets(st.integers(0, 200), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_places_lead_back_to_the_labels_whatever_they_are(values, random):
    labels = [random.choice(sorted(values)) for _ in range(30)] + sorted(values)
    codes, names = place_labels({"train": labels})
    if names is None:
        assert codes["train"].tolist() == labels
        assert are_places(sorted(set(labels)))
    else:
        assert [int(names[code]) for code in codes["train"]] == labels
        assert len(names) == len(values)


@given(st.lists(st.text(min_size=1), min_size=2, unique=True))
def test_strings_lead_back_to_themselves(names):
    codes, found = place_labels({"train": names + names})
    assert [found[code] for code in codes["train"]] == names + names


MISSING = [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize("missing", MISSING, ids=["None", "nan", "np.nan", "float32", "NA", "NaT"])
@pytest.mark.parametrize("other", ["pos", 1])
def test_a_missing_label_is_no_class(missing, other):
    labels = [other if i % 2 else ("neg" if other == "pos" else 0) for i in range(60)]
    labels[7] = missing
    with pytest.raises(DataError, match=r"label at index 7 is"):
        ready(labels)
    with pytest.raises(DataError, match=r"label at index 7 is"):
        TextArrays((["some text"] * 60, labels)).setup("fit")


def test_a_nullable_column_of_pandas_is_read_and_its_gaps_are_named():
    whole = pd.array([0, 1] * 30, dtype="Int64")
    assert ready(whole).num_classes == 2
    gap = pd.array([0, None] * 30, dtype="Int64")
    with pytest.raises(DataError, match="label at index 1 is"):
        ready(gap)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1, 0] * 30, "not negative, but 30 of 60 are not: the first is -1 at index 0"),
        ([0.5, 1.0] * 30, "must be integers"),
        ([0, "a"] * 30, "must be integers of shape (examples,), or strings"),
        (np.eye(2)[[0, 1] * 30], "argmax"),
        ([[0], [0, 1]] * 30, "unlike lengths"),
    ],
)
def test_what_is_no_label_is_named(labels, message):
    with pytest.raises(DataError) as error:
        ready(labels)
    assert message in str(error.value)
