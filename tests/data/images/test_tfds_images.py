"""Sets of TensorFlow Datasets, prepared on the spot without a network."""

import json
import shutil
import socket

import numpy as np
import pytest
from helpers.tfds_image_sets import NoValidation, UnequalSizes, images, prepare_sets, set_up

from lightning_tf.data import TfdsImages
from lightning_tf.data.sources import tfds_set
from lightning_tf.exceptions import ConfigurationError, DataError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare_sets(tmp_path_factory.mktemp("tfds"), builders=(NoValidation, UnequalSizes))


def sizes(data):
    return {name: len(split.indices) for name, split in data.splits.items()}


def flat(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_prepared_set_is_read_without_a_network(prepared, in_memory):
    data = set_up("no_validation", prepared, in_memory=in_memory)
    assert sizes(data) == {"train": 45, "val": 5, "test": 10}
    assert data.input_shape == (6, 6, 3)
    assert data.class_names == ["left", "right"]
    expected = {example["image"].tobytes(): example["label"] for _, example in images(50)}
    for image, label in zip(*flat(data.train_dataset(0)), strict=True):
        assert expected[image.tobytes()] == label


def test_an_epoch_is_pure_and_resumes_at_any_batch(prepared):
    data = set_up("no_validation", prepared, batch_size=8, seed=3)
    whole, _ = flat(data.train_dataset(2))
    assert (
        flat(set_up("no_validation", prepared, batch_size=8, seed=3).train_dataset(2))[0] == whole
    ).all()
    assert (flat(data.train_dataset(3))[0] != whole).any()
    assert (flat(data.train_dataset_from(2, 3))[0] == whole[24:]).all()


def test_a_validation_split_is_used_and_sizes_are_made_equal(prepared):
    data = set_up("unequal_sizes", prepared, image_size=5, test_fraction=0.2)
    assert sizes(data) == {"train": 16, "val": 6, "test": 4}
    assert flat(data.val_dataset())[0].shape == (6, 5, 5, 3)


def test_images_of_many_sizes_need_a_size(prepared):
    with pytest.raises(ConfigurationError, match="pass image_size="):
        set_up("unequal_sizes", prepared)


def test_an_unknown_set_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigurationError, match="Did you mean 'cifar10"):
        TfdsImages("cifar1O", data_dir=tmp_path).prepare_data()


def test_without_a_network_a_download_fails_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_set, "HOST", "host.invalid")  # a name that never exists
    with pytest.raises(DataError, match=r"host.invalid cannot be reached .* pass data_dir="):
        TfdsImages("cifar10", data_dir=tmp_path).prepare_data()


def test_a_set_that_is_not_prepared_is_named(tmp_path):
    with pytest.raises(DataError, match="is not prepared in"):
        TfdsImages("cifar10", data_dir=tmp_path).setup("fit")


class NextVersion(NoValidation):
    """Registered, as the sets of the library are, so that it can be prepared by its name."""


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord", None])
def test_a_set_is_prepared_in_the_format_that_is_asked_for(tmp_path, monkeypatch, file_format):
    if file_format == "array_record":
        pytest.importorskip("array_record.python.array_record_module")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(tfds_set, "HOST", "127.0.0.1")  # the network, as far as it is needed
        monkeypatch.setattr(tfds_set, "PORT", server.getsockname()[1])
        set_up("next_version", tmp_path, file_format=file_format)
    formats = {path.name.split("-")[1].split(".")[1] for path in tmp_path.rglob("*-of-*")}
    assert formats == {file_format or "tfrecord"}


def test_a_set_in_another_format_than_asked_for_is_refused(prepared):
    with pytest.raises(ConfigurationError, match=r"as tfrecord, but file_format is 'array_record'"):
        TfdsImages("no_validation", data_dir=prepared, file_format="array_record").prepare_data()
    data = TfdsImages("no_validation", data_dir=prepared, file_format="array_record")
    with pytest.raises(ConfigurationError, match=r"or pass the data_dir= of another folder"):
        data.setup("fit")
    assert sizes(set_up("no_validation", prepared, file_format="tfrecord"))["train"] == 45


def test_of_a_set_in_two_formats_the_one_asked_for_is_read(tmp_path):
    folders = [prepare_sets(tmp_path / name, name, 3) for name in ("tfrecord", "array_record")]
    for path in folders[1].rglob("*array_record*-of-*"):
        shutil.copy(path, folders[0] / path.parent.relative_to(folders[1]))
    description = next(folders[0].rglob("dataset_info.json"))
    info = json.loads(description.read_text())
    description.write_text(json.dumps({**info, "alternativeFileFormats": ["array_record"]}))
    on_disk = set_up("no_validation", folders[0], file_format="array_record")
    resident = set_up("no_validation", folders[0])
    assert type(on_disk.splits["train"].source).__name__ == "RecordImages"
    assert type(resident.splits["train"].source).__name__ == "EncodedImages"
    for one, other in zip(
        flat(on_disk.train_dataset(1)), flat(resident.train_dataset(1)), strict=True
    ):
        assert (one == other).all()


def test_an_unknown_format_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'array_record'"):
        TfdsImages("cifar10", file_format="arrayrecord")
