"""tf.data.Datasets as they are."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import DatasetPair, ImageDatasets
from lightning_tf.exceptions import ConfigurationError, DataError

SLICES = tf.data.Dataset.from_tensor_slices(
    (np.arange(10 * 4 * 4).reshape(10, 4, 4, 1).astype("uint8"), np.arange(10) % 2)
)


def test_datasets_come_out_as_they_went_in():
    data = DatasetPair(SLICES.batch(4), SLICES.batch(5))
    assert [len(x) for x, _ in data.train_dataset(3)] == [4, 4, 2]
    assert len(data.val_dataset()) == 2
    assert data.test_dataset() is None
    assert data.predict_dataset() is None


def test_prediction_takes_the_test_inputs():
    (batch,) = DatasetPair(SLICES.batch(4), test=SLICES.batch(10)).predict_dataset()
    assert batch.shape == (10, 4, 4, 1)


def test_a_dataset_without_batches_is_refused():
    with pytest.raises(DataError, match=r"batch it with dataset.batch"):
        DatasetPair(SLICES)


def test_something_else_than_a_dataset_is_refused():
    with pytest.raises(ConfigurationError, match="val is a list"):
        DatasetPair(SLICES.batch(2), [1])


def test_image_datasets_tell_their_facts_after_setup():
    data = ImageDatasets(SLICES.batch(4), class_names=["even", "odd"])
    data.setup("fit")
    assert (data.input_shape, data.num_classes) == ((4, 4, 1), 2)
    assert (data.class_names, data.value_range) == (["even", "odd"], (0.0, 255.0))
