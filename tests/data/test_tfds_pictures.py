"""Sets of TensorFlow Datasets, prepared on the spot without a network."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from lightning_tf.data import tfds_set
from lightning_tf.data.tfds_pictures import TfdsPictures
from lightning_tf.exceptions import ConfigurationError, DataError


def pictures(count, size=6, seed=0):
    random = np.random.RandomState(seed)
    for number in range(count):
        side = size + (number % 3 if size == 7 else 0)
        picture = random.randint(0, 256, (side, size, 3)).astype("uint8")
        yield number, {"image": picture, "label": number % 2}


class _Painted(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=self.SHAPE),
                    "label": tfds.features.ClassLabel(names=["left", "right"]),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        return {split: pictures(count, self.SIZE) for split, count in self.SPLITS.items()}

    def _generate_examples(self):
        raise NotImplementedError


class PaintedOnce(_Painted, skip_registration=True):
    SHAPE, SIZE, SPLITS = (6, 6, 3), 6, {"train": 50, "test": 10}


class PaintedTwice(_Painted, skip_registration=True):
    SHAPE, SIZE, SPLITS = (None, None, 3), 7, {"train": 20, "validation": 6}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (PaintedOnce, PaintedTwice):
        builder(data_dir=folder).download_and_prepare()
    return folder


def ready(name, folder, **options):
    data = TfdsPictures(name, data_dir=folder, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def sizes(data):
    return {name: len(part.indices) for name, part in data.parts.items()}


def flat(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_prepared_set_is_read_without_a_network(prepared, in_memory):
    data = ready("painted_once", prepared, in_memory=in_memory)
    assert sizes(data) == {"train": 45, "val": 5, "test": 10}
    assert data.input_shape == (6, 6, 3)
    assert data.class_names == ["left", "right"]
    expected = {example["image"].tobytes(): example["label"] for _, example in pictures(50)}
    for picture, label in zip(*flat(data.train_dataset(0)), strict=True):
        assert expected[picture.tobytes()] == label


def test_an_epoch_is_pure_and_resumes_at_any_batch(prepared):
    data = ready("painted_once", prepared, batch_size=8, seed=3)
    whole, _ = flat(data.train_dataset(2))
    assert (
        flat(ready("painted_once", prepared, batch_size=8, seed=3).train_dataset(2))[0] == whole
    ).all()
    assert (flat(data.train_dataset(3))[0] != whole).any()
    assert (flat(data.train_dataset_from(2, 3))[0] == whole[24:]).all()


def test_a_validation_split_is_used_and_sizes_are_made_equal(prepared):
    data = ready("painted_twice", prepared, image_size=5, test_fraction=0.2)
    assert sizes(data) == {"train": 16, "val": 6, "test": 4}
    assert flat(data.val_dataset())[0].shape == (6, 5, 5, 3)


def test_pictures_of_many_sizes_need_a_size(prepared):
    with pytest.raises(ConfigurationError, match="pass image_size="):
        ready("painted_twice", prepared)


def test_an_unknown_set_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigurationError, match="Did you mean 'cifar10"):
        TfdsPictures("cifar1O", data_dir=tmp_path).prepare_data()


def test_without_a_network_a_download_fails_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_set, "HOST", "host.invalid")  # a name that never exists
    with pytest.raises(DataError, match=r"host.invalid cannot be reached .* pass data_dir="):
        TfdsPictures("cifar10", data_dir=tmp_path).prepare_data()


def test_a_set_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(DataError, match="is not prepared in"):
        TfdsPictures("cifar10", data_dir=tmp_path).setup("fit")
