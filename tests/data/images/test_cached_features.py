"""CachedFeatures: computed once, in the order of the images, and never stale."""

import numpy as np
import pytest
import tensorflow as tf

from lightning_tf.data import DatasetPair, image_data
from lightning_tf.data.images.cached_features import CachedFeatures
from lightning_tf.exceptions import ConfigurationError


class Extractor:
    """Gives each image its mean, and counts what it was shown."""

    def __init__(self):
        self.seen, self.version = 0, 0

    def __call__(self, images):
        self.seen += len(images)
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])


def images():
    x = np.arange(40, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 2, 1), "uint8")
    options = {"val_fraction": 0.2, "test_fraction": 0.1}
    return image_data((x, np.arange(40) % 2), batch_size=8, seed=3, **options)


def cached(extract):
    data = CachedFeatures(images(), extract, lambda: extract.version)
    data.setup("fit")
    return data


def rows(dataset):
    return [(x, y) for batch in dataset.as_numpy_iterator() for x, y in zip(*batch, strict=True)]


@pytest.mark.parametrize("stage", ["train", "val"])
def test_batches_hold_the_features_of_the_same_images_in_the_same_order(stage):
    plain, data = images(), cached(Extractor())
    plain.setup("fit")
    for epoch in (0, 1):
        expected = rows(plain.dataset_for(stage, epoch))
        read = rows(data.dataset_for(stage, epoch))
        assert [(x.mean(), y) for x, y in expected] == [(float(x[0]), y) for x, y in read]


def test_a_resumed_epoch_goes_on_with_the_same_batches():
    data = cached(Extractor())
    whole, rest = rows(data.dataset_for("train", 2)), rows(data.dataset_for("train", 2, 2))
    assert [float(x[0]) for x, _ in whole][16:] == [float(x[0]) for x, _ in rest]


def test_each_image_is_computed_once():
    extract = Extractor()
    data = cached(extract)
    for epoch in range(3):
        rows(data.dataset_for("train", epoch))
        rows(data.dataset_for("val"))
    assert extract.seen == 36  # training and validation, not the test images


def test_other_weights_are_refused_in_a_run_and_computed_anew_after_it():
    extract = Extractor()
    data = cached(extract)
    data.dataset_for("train")
    extract.version = 1
    with pytest.raises(ConfigurationError, match="weights changed after"):
        data.dataset_for("train", 1)
    data.teardown("fit")
    data.dataset_for("train", 1)
    assert extract.seen == 72


def test_test_and_prediction_batches_are_the_images():
    data = cached(Extractor())
    assert next(iter(data.dataset_for("test")))[0].shape == (4, 2, 2, 1)
    assert next(iter(data.dataset_for("predict"))).shape == (4, 2, 2, 1)


def test_data_that_cannot_be_read_by_index_are_refused():
    batches = tf.data.Dataset.from_tensors((np.zeros((4, 2, 2, 1)), np.zeros(4)))
    with pytest.raises(ConfigurationError, match="a DatasetPair is not"):
        CachedFeatures(DatasetPair(batches), Extractor(), lambda: 0)
