"""Arrays as a DataModule."""

import numpy as np
import pytest

from lightning_tf.data import ArrayData
from lightning_tf.exceptions import ConfigurationError, DataError

X = np.arange(103, dtype=np.float32)[:, np.newaxis]
Y = np.arange(103) % 3


def examples(dataset):
    return np.concatenate([batch[0][:, 0] for batch in dataset.as_numpy_iterator()]).tolist()


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    first, second = ArrayData(X, Y, seed=1), ArrayData(X, Y, seed=1)
    assert examples(first.train_dataset(4)) == examples(second.train_dataset(4))
    assert examples(first.train_dataset(4)) != examples(first.train_dataset(5))
    assert examples(first.train_dataset(4)) != examples(ArrayData(X, Y, seed=2).train_dataset(4))
    assert sorted(examples(first.train_dataset(4))) == sorted(examples(first.train_dataset(5)))


def test_a_resumed_epoch_is_the_rest_of_the_whole_one():
    data = ArrayData(X, Y, batch_size=8)
    for batch in (0, 1, 5, 12):
        resumed = examples(data.train_dataset_from(2, batch)) if batch < 12 else []
        assert resumed == examples(data.train_dataset(2))[8 * batch :]


def test_splits_never_overlap_and_do_not_depend_on_the_seed():
    data = ArrayData(X, Y, val_fraction=0.2, test_fraction=0.1, seed=1)
    splits = [examples(data.dataset_for(stage)) for stage in ("train", "val", "test")]
    assert [len(split) for split in splits] == [72, 21, 10]
    assert sorted(value for split in splits for value in split) == X[:, 0].tolist()
    other = ArrayData(X, Y, val_fraction=0.2, test_fraction=0.1, seed=2)
    assert examples(other.val_dataset()) == splits[1]
    again = ArrayData(X, Y, val_fraction=0.2, test_fraction=0.1, split_seed=9)
    assert examples(again.val_dataset()) != splits[1]


def test_the_last_batch_keeps_the_remaining_examples():
    data = ArrayData(X, Y, val_fraction=0.0, batch_size=50)
    assert [len(x) for x, _ in data.train_dataset(0)] == [50, 50, 3]


def test_given_splits_are_used_as_they_are():
    data = ArrayData(X, Y, val=(X[:5], Y[:5]), test=(X[5:9], Y[5:9]), predict=X[9:11])
    assert len(examples(data.train_dataset(0))) == 103
    assert examples(data.val_dataset()) == [0, 1, 2, 3, 4]
    assert examples(data.test_dataset()) == [5, 6, 7, 8]
    assert [x.tolist() for x in data.predict_dataset().as_numpy_iterator()] == [[[9.0], [10.0]]]


def test_prediction_takes_the_test_inputs_in_order_without_labels():
    data = ArrayData(X, Y, test=(X[5:9], Y[5:9]))
    (batch,) = data.predict_dataset().as_numpy_iterator()
    assert batch[:, 0].tolist() == [5, 6, 7, 8]
    assert ArrayData(X, Y).predict_dataset() is None


def test_only_float64_changes_its_dtype():
    kinds = {np.float64: "float32", np.float32: "float32", np.uint8: "uint8", np.int64: "int64"}
    for dtype, expected in kinds.items():
        spec = ArrayData(np.zeros((10, 2), dtype)).train_dataset(0).element_spec
        assert spec.dtype.name == expected


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:-1], "different numbers of examples"),
        (X[:0], Y[:0], "empty"),
        (np.float32(3), None, "shape ()"),
        (np.array([[1], [2, 3]], dtype=object), None, "dtype object"),
        (np.array([[1.0], [np.nan], [np.inf]]), None, "2 of 3 examples, the first at index 1"),
    ],
)
def test_bad_arrays_are_named(x, y, message):
    with pytest.raises(DataError) as error:
        ArrayData(x, y)
    assert message in str(error.value)


def test_a_split_and_a_fraction_of_it_exclude_each_other():
    with pytest.raises(ConfigurationError, match="val_fraction"):
        ArrayData(X, Y, val=(X, Y), val_fraction=0.2).setup("fit")


def test_validation_arrays_must_be_a_pair():
    with pytest.raises(ConfigurationError, match="val is a ndarray"):
        ArrayData(X, Y, val=X)


def test_integers_that_occur_once_are_amounts_and_a_list_of_numbers_is_an_array():
    data = ArrayData(np.zeros((20, 2)), list(range(20)), val_fraction=0.2)
    data.setup("fit")
    assert [len(data.splits[name].indices) for name in ("train", "val")] == [16, 4]
    assert data.class_labels is None
