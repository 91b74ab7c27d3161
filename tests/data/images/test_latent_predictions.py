"""LatentPredictions and UnlabeledImages: what a GAN trains on and predicts from."""

import numpy as np
import pytest
from helpers.boring import BoringData

from lightning_tf.data import Digits, UnlabeledImages
from lightning_tf.data.images.latent_predictions import LatentPredictions
from lightning_tf.data.images.unlabeled_images import generation_data, generation_spec
from lightning_tf.exceptions import ConfigurationError, DataError


def batches(dataset):
    return list(dataset.as_numpy_iterator())


def test_all_but_prediction_is_the_images_own():
    images = BoringData()
    data = LatentPredictions(images, count=5, latent_dim=3)
    for stage in ("train", "val", "test"):
        for one, other in zip(
            batches(data.dataset_for(stage)), batches(images.dataset_for(stage)), strict=True
        ):
            np.testing.assert_array_equal(one[0], other[0])
    assert data.dataset_for("predict").element_spec.shape[1:] == (3,)


def test_latent_vectors_follow_the_seed_and_classes_take_turns():
    data = LatentPredictions(Digits(batch_size=4, seed=1), count=6, latent_dim=3)
    same = LatentPredictions(Digits(batch_size=4, seed=1), count=6, latent_dim=3)
    other = LatentPredictions(Digits(batch_size=4, seed=2), count=6, latent_dim=3)
    first = np.concatenate(batches(data.dataset_for("predict")))
    np.testing.assert_array_equal(first, np.concatenate(batches(same.dataset_for("predict"))))
    assert not np.array_equal(first, np.concatenate(batches(other.dataset_for("predict"))))
    data = LatentPredictions(
        Digits(batch_size=4, classes=["3", "5", "6", "7"]), 6, latent_dim=3, conditional=True
    )
    labels = [label for _, batch in batches(data.dataset_for("predict")) for label in batch]
    assert labels == [0, 1, 2, 3, 0, 1]


def test_the_seed_of_the_trainer_and_a_new_batch_size_reach_the_images():
    data = LatentPredictions(Digits(), count=6, latent_dim=3)
    data.batch_size, data.trainer_seed = 10, 7
    (first, *_) = batches(data.dataset_for("train"))
    assert len(first[0]) == 10
    assert data.images.trainer_seed == data.images.order_seed == data.order_seed == 7


@pytest.mark.parametrize(
    ("images", "value_range"),
    [
        (np.arange(40 * 16, dtype="uint8").reshape(40, 4, 4, 1), (0.0, 255.0)),
        (np.linspace(-2, 2, 40 * 16, dtype="float32").reshape(40, 4, 4, 1), (-2.0, 2.0)),
    ],
    ids=["uint8", "float32"],
)
def test_an_array_of_images_alone_trains_as_a_whole(images, value_range):
    data = generation_data(images, batch_size=16, image_size=None)
    spec = generation_spec(data)
    assert (spec.input_shape, spec.num_classes) == ((4, 4, 1), 1)
    assert spec.value_range == value_range
    seen = np.concatenate([x for x, _ in batches(data.train_dataset(0))])
    assert sorted(seen.sum(axis=(1, 2, 3))) == sorted(images.sum(axis=(1, 2, 3)))
    assert data.val_dataset() is None


def test_bad_arrays_are_told():
    with pytest.raises(DataError, match="rank 4"):
        generation_spec(UnlabeledImages(np.zeros((5, 4, 4))))
    with pytest.raises((ConfigurationError, TypeError), match="image_size"):
        generation_data(np.zeros((5, 4, 4, 1)), image_size=8)
