"""What every DataModule promises, whatever its source."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import ArrayData, DataModule
from lightning_tf.exceptions import ConfigurationError, DataError


class Numbers(DataModule):
    def __init__(self):
        self.count = 10  # before and without super().__init__()

    def train_dataset(self, epoch):
        return tf.data.Dataset.range(self.count).batch(4)


def batches(dataset):
    return [batch.tolist() for batch in dataset.as_numpy_iterator()]


def test_a_base_module_has_no_data():
    assert [DataModule().dataset_for(s) for s in ("train", "val", "test", "predict")] == [None] * 4


def test_a_subclass_that_forgets_super_has_the_defaults():
    data = Numbers()
    assert (data.batch_size, data.seed, data.split_seed, data.order_seed) == (32, None, 0, 0)
    assert data.train_dataset_from(0, 2) is not None


def test_an_attribute_of_none_hides_a_dataset():
    data = ArrayData(np.zeros((20, 2)))
    assert data.dataset_for("val") is not None
    data.val_dataset = None
    assert data.dataset_for("val") is None


def test_a_resumed_epoch_starts_at_its_batch():
    assert batches(Numbers().dataset_for("train", epoch=1, batch=1)) == [[4, 5, 6, 7], [8, 9]]


def test_the_seed_of_the_trainer_counts_only_where_the_module_has_none():
    data = DataModule()
    data.trainer_seed = 7
    assert data.order_seed == 7
    data.seed = 0
    assert data.order_seed == 0


def test_an_overridden_train_dataset_is_what_a_resumed_run_gets():
    class Doubled(ArrayData):
        def train_dataset(self, epoch):
            return super().train_dataset(epoch).map(lambda x: 2 * x)

    data = Doubled(np.arange(1, 21), val_fraction=0.0, batch_size=4)
    whole = batches(data.train_dataset(3))
    assert batches(data.train_dataset_from(3, 2)) == whole[2:]


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "8", None, True])
def test_a_batch_size_that_is_no_positive_integer_is_named(batch_size):
    with pytest.raises(ConfigurationError, match=f"batch_size is {batch_size!r}"):
        DataModule(batch_size=batch_size)


def test_a_numpy_integer_is_an_integer():
    assert type(DataModule(batch_size=np.int64(8)).batch_size) is int


def test_something_else_than_a_dataset_is_refused():
    class Lists(DataModule):
        def train_dataset(self, epoch):
            return [1, 2]

    with pytest.raises(DataError, match=r"Lists.train_dataset: data set 0 is 1"):
        Lists().dataset_for("train")
