"""The data= argument of an image task."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lightning_tf.data import (
    Cifar10,
    Digits,
    ImageArrays,
    ImageDatasets,
    ImageFolder,
    TfdsImages,
    image_data,
)
from lightning_tf.data.images.image_data import BUILT_IN
from lightning_tf.data.sources.data_folder import VARIABLE
from lightning_tf.exceptions import ConfigurationError

IMAGES, LABELS = np.zeros((8, 4, 4, 1), "uint8"), np.arange(8) % 2
BATCHES = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(4)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_name_takes_the_options_of_a_source(name, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "cifar10.npz").touch()
    data = image_data(name, batch_size=7, seed=3, split_seed=4, val_fraction=0.2)
    assert type(data) is BUILT_IN[name]
    assert (data.batch_size, data.seed, data.split_seed) == (7, 3, 4)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("tfds:mnist", TfdsImages),
        ((IMAGES, LABELS), ImageArrays),
        ([IMAGES, LABELS], ImageArrays),
        (BATCHES, ImageDatasets),
        ((BATCHES, BATCHES), ImageDatasets),
        ((BATCHES, None, BATCHES), ImageDatasets),
    ],
)
def test_what_a_user_writes_becomes_its_source(data, kind):
    assert type(image_data(data)) is kind


def test_a_folder_becomes_its_source(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "x.png")
    for data in (tmp_path, str(tmp_path)):
        source = image_data(data, image_size=4, broken="skip", in_memory=True, val_fraction=0.0)
        assert type(source) is ImageFolder
        assert source.train_dataset(0).element_spec[0].shape.as_list() == [None, 4, 4, 3]


def test_cifar10_comes_from_its_file_or_else_from_tensorflow_datasets(tmp_path):
    assert type(image_data("cifar10", data_dir=tmp_path)) is TfdsImages
    (tmp_path / "cifar10.npz").touch()
    assert type(image_data("cifar10", data_dir=tmp_path)) is Cifar10


def test_a_module_is_returned_as_it_is():
    data = Digits()
    assert image_data(data) is data
    with pytest.raises(ConfigurationError, match="set batch_size on it"):
        image_data(data, batch_size=4)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("digtis", {}, "Did you mean 'digits'"),
        (3, {}, "data is a int"),
        ("digits", {"data_dir": "."}, "data_dir='.' has no meaning for data='digits'"),
        ("digits", {"class_names": ["a"]}, "has no meaning"),
        ("digits", {"batch_size": 0}, "batch_size is 0"),
        (BATCHES, {"batch_size": 4}, "has no meaning for data=ImageDatasets"),
        ((IMAGES, LABELS), {"image_size": 4}, "has no meaning for data=ImageArrays"),
    ],
)
def test_what_cannot_work_is_named(data, options, message):
    with pytest.raises(ConfigurationError) as error:
        image_data(data, **options)
    assert message in str(error.value)
